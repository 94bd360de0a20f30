import { expect } from 'chai';
import fc from 'fast-check';
import { KvRangeAnswer, SPARSE_EMPTY, sameBytes, toHex, utf8 } from '@it-chain/contracts';
import { Ledger, put, remove } from './fixture.js';

/** All pages of the state of a ledger. */
async function pagesOf(ledger: Ledger, maxBytes: number): Promise<Uint8Array[]> {
  const pages: Uint8Array[] = [];
  for (let cursor: Uint8Array | undefined = new Uint8Array(0); cursor !== undefined;) {
    const answer: { page: Uint8Array; next?: Uint8Array | undefined } = await ledger.application.snapshot({
      root: ledger.root,
      cursor,
      maxBytes,
    });
    pages.push(answer.page);
    cursor = answer.next;
  }
  return pages;
}

/** A new ledger that takes pages in. */
async function restored(pages: readonly Uint8Array[]): Promise<Ledger> {
  const ledger = new Ledger();
  for (const page of pages) {
    const { root, writes } = await ledger.application.restore({ height: 9, previousRoot: ledger.root, page });
    const entries = writes.map((write) => ({ namespace: 'app' as const, ...write }));
    if (entries.length > 0) {
      await ledger.storage.write({ writes: entries, when: [], sync: true, writer: '', sequence: 0 });
    }
    ledger.root = root;
  }
  return ledger;
}

const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => String((error as { code?: unknown }).code),
  );

describe('pages of the state of kv', () => {
  it('come to the root of the state they are of, whatever it is and however it is cut', async () => {
    const name = fc.string({ maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, fc.string({ maxLength: 40 }), fc.boolean()), { maxLength: 80 }),
        fc.integer({ min: 1, max: 400 }),
        async (steps, maxBytes) => {
          const source = new Ledger();
          await source.commit(
            steps.map(([key, value, gone]) => (gone ? remove(utf8(key)) : put(utf8(key), utf8(value)))),
          );
          const copy = await restored(await pagesOf(source, maxBytes));
          expect(toHex(copy.root)).to.equal(toHex(source.root));
          expect(await copy.range({ limit: 1_000 })).to.deep.equal(await source.range({ limit: 1_000 }));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('let the copy go on as the original does', async () => {
    const source = new Ledger();
    await source.commit(Array.from({ length: 200 }, (_, index) => put(utf8(`k${index}`), utf8(`v${index}`))));
    const copy = await restored(await pagesOf(source, 1_000));
    const more = [put(utf8('k7'), utf8('new')), remove(utf8('k8')), put(utf8('z'), utf8('1'))];
    const [a, b] = [await source.commit(more), await copy.commit(more)];
    expect(toHex(a.root)).to.equal(toHex(b.root));
  });

  it('that were changed, left out, repeated or put in another order come to another root, or to an error', async () => {
    const source = new Ledger();
    await source.commit(Array.from({ length: 40 }, (_, index) => put(utf8(`k${index}`), utf8(`v${index}`))));
    const pages = await pagesOf(source, 60);
    expect(pages.length).to.be.greaterThan(3);
    const first = KvRangeAnswer.decode(pages[0]!);
    const changed = KvRangeAnswer.encode({
      ...first,
      entries: first.entries.map(({ key }) => ({ key, value: utf8('x') })),
    });
    expect(sameBytes((await restored([changed, ...pages.slice(1)])).root, source.root)).to.equal(false);
    expect(sameBytes((await restored(pages.slice(1))).root, source.root)).to.equal(false);
    expect(sameBytes((await restored([])).root, SPARSE_EMPTY)).to.equal(true);
    const backwards = KvRangeAnswer.encode({ ...first, entries: [...first.entries].reverse() });
    const twice = KvRangeAnswer.encode({ ...first, entries: [first.entries[0]!, first.entries[0]!] });
    for (const page of [backwards, twice]) expect(await code(restored([page]))).to.equal('ERR_DATA_INVALID');
    expect(await code(restored([utf8('no page at all')]))).to.equal('ERR_DATA_MALFORMED');
  });

  it('are read at the root that is asked for, or refused', async () => {
    const source = new Ledger();
    await source.commit([put(utf8('a'), utf8('1'))]);
    const stale = source.application.snapshot({ root: SPARSE_EMPTY, cursor: new Uint8Array(0), maxBytes: 100 });
    expect(await code(stale)).to.equal('ERR_KV_STALE_ROOT');
  });
});
