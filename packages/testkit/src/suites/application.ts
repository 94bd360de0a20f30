import { expect } from 'chai';
import {
  Application,
  type StatePage,
  sha256,
  toHex,
  utf8,
  type ApplicationTransaction,
  type ApplicationWrite,
  type ExecuteAnswer,
  type Infer,
  type QueryAnswer,
  type Served,
} from '@it-chain/contracts';
import { promiseOf } from './promise.js';

type App = Served<typeof Application>;

/** One application on an empty keyspace. */
export interface ApplicationUnderTest {
  readonly application: App;
  /** Writes what `execute` answered into its keyspace, as chain does when it commits. */
  readonly commit: (writes: readonly ApplicationWrite[]) => Promise<void>;
  /** Another instance on the same keyspace: what is there after a restart. */
  readonly restart: () => Promise<App>;
  /** Payloads that each change the state, also when all are executed in a row. At least four. */
  readonly payloads: readonly Uint8Array[];
  /** Who sends a payload, where the application minds; by default three senders take turns. */
  readonly senderOf?: (payload: Uint8Array) => Uint8Array;
  /** A question whose answer the payloads change. */
  readonly question: { readonly path: string; readonly data: Uint8Array };
  /** True where the proof in an answer leads to the root. Absent: the application gives no proofs. */
  readonly verify?: (root: Uint8Array, answer: QueryAnswer) => boolean;
  /** Ends the instance and removes what it wrote. */
  readonly dispose: () => Promise<void>;
}

/** Transactions with these payloads, of a few senders. */
export function applicationTransactions(
  payloads: readonly Uint8Array[],
  senderOf?: (payload: Uint8Array) => Uint8Array,
): ApplicationTransaction[] {
  return payloads.map((payload, index) => ({
    id: sha256(utf8(`transaction ${index}`)),
    sender: senderOf?.(payload) ?? sha256(utf8(`sender ${index % 3}`)),
    payload,
  }));
}

const plain = (answer: ExecuteAnswer): unknown => ({
  root: toHex(answer.root),
  receipts: answer.receipts.map((receipt) => [toHex(receipt.id), receipt.code, toHex(receipt.output), receipt.message]),
  writes: answer.writes.map(({ key, value }) => [toHex(key), value && toHex(value)]),
});

/** Bytes that are hardly a payload of anything, and cut or longer forms of what is one. */
function garbage(payloads: readonly Uint8Array[]): Uint8Array[] {
  const cut = payloads.flatMap((payload) => [payload.subarray(0, payload.length - 1), payload.subarray(1)]);
  const longer = payloads.map((payload) => Buffer.concat([payload, new Uint8Array([0xff, 0x01])]));
  const long = new Uint8Array(100_000).fill(0xff);
  return [
    new Uint8Array(0),
    new Uint8Array([0]),
    new Uint8Array([255]),
    utf8('{"json":true}'),
    long,
    ...cut,
    ...longer,
  ];
}

/** The committed state in pages as small as the application makes them. */
async function pagesOf(application: App, root: Uint8Array): Promise<Uint8Array[]> {
  const pages: Uint8Array[] = [];
  let cursor: Uint8Array | undefined = new Uint8Array(0);
  while (cursor !== undefined) {
    const answer: Infer<typeof StatePage> | undefined = await application.snapshot?.({ root, cursor, maxBytes: 1 });
    if (answer === undefined) break;
    pages.push(answer.page);
    cursor = answer.next;
  }
  return pages;
}

/** Takes pages in as a joining node does: each dry, then its writes. The root that they came to. */
async function restore(
  subject: ApplicationUnderTest,
  empty: Uint8Array,
  pages: readonly Uint8Array[],
): Promise<Uint8Array> {
  let root = empty;
  for (const page of pages) {
    const answer = await subject.application.restore?.({ height: 9, previousRoot: root, page });
    if (answer === undefined) break;
    await subject.commit(answer.writes);
    root = answer.root;
  }
  return root;
}

/** The compliance suite of the application role. Call it inside `describe`; the titles are the role's promises. */
export function testApplication(create: () => Promise<ApplicationUnderTest>): void {
  const promise = (number: string): string => promiseOf(Application, number);
  let subject: ApplicationUnderTest;
  let application: App;
  let root: Uint8Array;
  const others: ApplicationUnderTest[] = [];

  const sent = (payloads: readonly Uint8Array[]): ApplicationTransaction[] =>
    applicationTransactions(payloads, subject.senderOf);
  const execute = (
    app: App,
    height: number,
    from: Uint8Array,
    payloads: readonly Uint8Array[],
  ): Promise<ExecuteAnswer> =>
    app.execute({ height, time: 1_000 + height, transactions: sent(payloads), previousRoot: from });
  const ask = (app: App, at: Uint8Array, prove = false): Promise<QueryAnswer> =>
    app.query({ ...subject.question, root: at, prove });

  beforeEach(async () => {
    subject = await create();
    ({ application } = subject);
    root = (await application.info({})).emptyRoot;
  });
  afterEach(async () => {
    for (const one of [subject, ...others.splice(0)]) await one.dispose();
  });

  it(promise('A1'), async () => {
    const other = await create();
    others.push(other);
    let from = root;
    for (const [index, payload] of subject.payloads.entries()) {
      const payloads = [payload, ...garbage([payload]).slice(0, 2)];
      const first = await execute(application, index + 1, from, payloads);
      const second = await execute(other.application, index + 1, from, payloads);
      expect(plain(second)).to.deep.equal(plain(first));
      expect(toHex(first.root)).to.not.equal(toHex(from));
      await subject.commit(first.writes);
      await other.commit(second.writes);
      from = first.root;
    }
  });

  it(promise('A2'), async () => {
    const before = await ask(application, root);
    const dry = await execute(application, 1, root, subject.payloads);
    const again = await execute(application, 1, root, subject.payloads);
    expect(plain(again)).to.deep.equal(plain(dry));
    // Another block of the same height was executed in between: its result is no base for anything.
    await execute(application, 1, root, subject.payloads.slice(0, 1));
    expect(await ask(application, root)).to.deep.equal(before);
    await subject.commit(dry.writes);
    expect(await ask(application, dry.root)).to.not.deep.equal(before);
  });

  it(promise('A3'), async () => {
    const [first, ...rest] = subject.payloads;
    if (first === undefined) throw new Error('the suite needs payloads');
    const mixed = [first, ...garbage(rest), ...rest];
    const answer = await execute(application, 1, root, mixed);
    expect(answer.receipts.map((receipt) => toHex(receipt.id))).to.deep.equal(
      sent(mixed).map((transaction) => toHex(transaction.id)),
    );
    const done = mixed.filter((_, index) => answer.receipts[index]?.code === 0);
    const without = await execute(application, 1, root, done);
    expect(toHex(without.root)).to.equal(toHex(answer.root));
    const nothing = await execute(application, 1, root, []);
    expect(toHex(nothing.root)).to.equal(toHex(root));
    expect(nothing.receipts).to.deep.equal([]);
  });

  it(promise('A4'), async () => {
    const payloads = garbage(subject.payloads);
    const answer = await execute(application, 1, root, payloads);
    expect(answer.receipts).to.have.length(payloads.length);
    expect(answer.receipts.some((receipt) => receipt.code !== 0)).to.equal(true);
    const { verdicts } = await application.check({ transactions: sent(payloads) });
    expect(verdicts).to.have.length(payloads.length);
    const fine = await application.check({ transactions: sent(subject.payloads) });
    expect(fine.verdicts.every((verdict) => verdict.ok)).to.equal(true);
  });

  it(promise('A5'), async () => {
    const answer = await execute(application, 1, root, subject.payloads);
    await subject.commit(answer.writes);
    for (const prove of [false, true]) {
      const asked = await ask(application, answer.root, prove);
      expect(asked.code).to.equal(0);
      if (!prove || subject.verify === undefined) continue;
      expect(subject.verify(answer.root, asked)).to.equal(true);
      expect(subject.verify(root, asked)).to.equal(false);
    }
    // A root that was never there is an error, not an answer about another state.
    const error = await ask(application, sha256(utf8('no root'))).then(
      () => undefined,
      (thrown: unknown) => thrown as { retryable?: unknown; code?: unknown },
    );
    expect(error?.retryable).to.equal(true);
    expect(error?.code).to.match(/^ERR_/);
  });

  it(promise('A6'), async () => {
    const [first, ...rest] = subject.payloads;
    if (first === undefined) throw new Error('the suite needs payloads');
    const one = await execute(application, 1, root, [first]);
    await subject.commit(one.writes);
    const again = await subject.restart();
    expect(plain(await execute(again, 2, one.root, rest))).to.deep.equal(
      plain(await execute(application, 2, one.root, rest)),
    );
    expect(await ask(again, one.root)).to.deep.equal(await ask(application, one.root));
  });

  it(promise('A7'), async function () {
    if (application.snapshot === undefined || application.restore === undefined) this.skip();
    const block = await execute(application, 1, root, subject.payloads);
    await subject.commit(block.writes);
    const pages = await pagesOf(application, block.root);
    const restored = await create();
    others.push(restored);
    const come = await restore(restored, root, pages);
    expect(toHex(come)).to.equal(toHex(block.root));
    expect(await ask(await restored.restart(), come)).to.deep.equal(await ask(application, block.root));
    for (const wrong of [pages.slice(0, -1), pages.map((page) => page.map((byte) => byte ^ 1))]) {
      const misled = await create();
      others.push(misled);
      const came = await restore(misled, root, wrong).then(toHex, () => 'an error');
      expect(came).to.not.equal(toHex(block.root));
    }
  });
}
