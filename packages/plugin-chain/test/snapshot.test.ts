import { expect } from 'chai';
import {
  Block,
  Certificate,
  SnapshotAnswer,
  SnapshotRequest,
  SystemState,
  Transport,
  failure,
  readSnapshot,
  sameBytes,
  toHex,
  verifySignature,
  type Genesis,
  type Infer,
  type Snapshot,
} from '@it-chain/contracts';
import { CrashingStorage, settle } from '@it-chain/testkit';
import { ChainFixture, contents, digestOf, genesisOf, join, leave, promote, transaction } from './fixture.js';

const EVERY = 10;
type Answer = Infer<typeof SnapshotAnswer>;

/** A chain of `height` blocks with one transaction each, that makes snapshots. */
async function grown(genesis: Genesis, height: number, storage = new CrashingStorage()): Promise<ChainFixture> {
  const node = new ChainFixture('alice', genesis, storage, {
    snapshots: { everyBlocks: EVERY },
    peerRequestsPerSecond: 10_000,
  });
  await node.start();
  for (let at = 1; at <= height; at += 1) {
    await node.advance(transaction(genesis, 'alice', { text: `key${at % 8}=${at}`, expiresAt: at + 5 }));
  }
  return node;
}

let requests = 0;

/** A new node whose only peer is `source`; `lie` changes what it answers. */
function joining(
  source: ChainFixture,
  lie: (request: Infer<typeof SnapshotRequest>, answer: Answer) => Answer = (_request, answer) => answer,
  storage = new CrashingStorage(),
  config: object = {},
): ChainFixture {
  const node = new ChainFixture('alice', source.genesis, storage, config);
  node.peer = async ({ kind, body }) => {
    const requestId = `late-${(requests += 1)}`;
    await source.context.tell(Transport.events.asked, {
      from: 'late',
      publicKey: new Uint8Array(32),
      requestId,
      kind,
      body,
    });
    await settle();
    const { errorCode, body: encoded } = source.answered.find((one) => one.requestId === requestId)!;
    if (errorCode !== '') throw failure('ERR_PEER_BUSY', errorCode);
    return SnapshotAnswer.encode(lie(SnapshotRequest.decode(body), SnapshotAnswer.decode(encoded)));
  };
  return node;
}

async function found(node: ChainFixture): Promise<Snapshot> {
  const { snapshot } = await node.chain.findSnapshot!({ peers: ['a'] });
  if (snapshot === undefined) throw new Error('nothing is offered');
  return snapshot;
}

/** Does something after the write that makes a snapshot the chain's, before it is answered; undone by what it gives. */
function onLastWrite({ storage }: ChainFixture, then: () => void): () => void {
  const write = storage.write.bind(storage);
  storage.write = async (request) => {
    const answer = await write(request);
    if (request.writes.some(({ key }) => Buffer.from(key).toString() === 'tip')) then();
    return answer;
  };
  return () => {
    storage.write = write;
  };
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  );

describe('snapshots', () => {
  const genesis = genesisOf(['alice'], { window: 20 });

  it('are offered once the block above has certified their root, and the next one replaces the last', async () => {
    const source = await grown(genesis, EVERY);
    const late = await joining(source).start();
    expect((await late.chain.findSnapshot!({ peers: ['a'] })).snapshot).to.equal(undefined);
    await source.advance();
    expect((await found(late)).height).to.equal(EVERY);
    for (let at = 0; at < EVERY; at += 1) await source.advance(transaction(genesis, 'alice', { expiresAt: 30 }));
    expect((await found(late)).height).to.equal(2 * EVERY);
    const pages = (await contents(source.storage)).filter((line) => line.startsWith('chain 732f'));
    expect(new Set(pages.map((line) => line.slice('chain 732f'.length, 'chain 732f'.length + 16))).size).to.equal(1);
  });

  it('bring a new node to the state of their height, from where it goes on by blocks', async () => {
    const source = await grown(genesis, 33);
    const late = await joining(source).start();
    const snapshot = await found(late);
    const { checks } = readSnapshot(genesis, snapshot);
    expect(checks.every((one) => verifySignature(one.publicKey, one.message, one.signature))).to.equal(true);
    const tip = await late.chain.restore!({ snapshot, peer: 'a' });
    expect(tip.height).to.equal(30);
    expect(toHex(await late.application.root())).to.equal(toHex(tip.applicationRoot));
    const { blocks } = await source.chain.range({ from: 31, maxCount: 10, maxBytes: 0 });
    for (const [index, { block, certificate }] of blocks.entries()) {
      const read = Block.decode(block);
      await late.commit(31 + index, digestOf(read, genesis), Certificate.decode(certificate), read);
    }
    const [ours, theirs] = [await late.tip(), await source.tip()];
    expect(ours).to.deep.equal(theirs);
    // Also after a restart, and it makes blocks as any other.
    const again = await late.restart();
    expect(await again.tip()).to.deep.equal(theirs);
    await again.advance(transaction(genesis, 'alice', { expiresAt: 40 }));
    expect((await again.tip()).height).to.equal(34);
    expect((await again.chain.base!({})).snapshot?.height).to.equal(30);
    expect(await codeOf(again.chain.range({ from: 1, maxCount: 1, maxBytes: 0 }))).to.equal('ERR_BLOCK_NOT_FOUND');
    expect((await again.chain.get({ height: 30 })).block).to.equal(undefined);
  });

  it('carry what was committed within the window: it runs once, and is forgotten when it has expired', async () => {
    const source = await grown(genesis, 9);
    const once = transaction(genesis, 'alice', { text: 'once=1', expiresAt: 25 });
    await source.advance(once);
    await source.advance();
    const late = await joining(source).start();
    await late.chain.restore!({ snapshot: await found(late), peer: 'a' });
    await late.advance();
    late.pooled = [once];
    const { block } = await late.chain.build({ height: (await late.tip()).height + 1 });
    expect(block.transactions).to.have.length(0);
    const known = async (): Promise<number> =>
      (await contents(late.storage)).filter((line) => line.startsWith('chain 742f')).length;
    expect(await known()).to.equal(10);
    while ((await late.tip()).height < 30) await late.advance();
    expect(await known()).to.equal(0);
  });

  it('prove every change of the validator set, and hold with none of them left out', async () => {
    const growing = genesisOf(['alice'], { growth: 'immediate', window: 20 });
    const source = await grown(growing, 2);
    for (const name of ['bob', 'carol']) {
      await source.advance(transaction(growing, 'alice', { membership: join(growing, name), expiresAt: 20 }));
      await source.advance(transaction(growing, 'alice', { membership: promote(name), expiresAt: 20 }));
    }
    while ((await source.tip()).height < 8) await source.advance();
    await source.advance(transaction(growing, 'carol', { membership: leave, expiresAt: 20 }));
    while ((await source.tip()).height < 21) await source.advance();
    const late = await joining(source).start();
    const snapshot = await found(late);
    expect(snapshot.sets).to.have.length(3);
    readSnapshot(growing, snapshot);
    for (const index of [0, 1, 2]) {
      const sets = snapshot.sets.filter((_, at) => at !== index);
      expect(() => readSnapshot(growing, { ...snapshot, sets }), `without ${index}`).to.throw();
    }
    const swapped = [snapshot.sets[1]!, snapshot.sets[0]!, snapshot.sets[2]!];
    expect(() => readSnapshot(growing, { ...snapshot, sets: swapped })).to.throw();
    const tip = await late.chain.restore!({ snapshot, peer: 'a' });
    expect(tip.validators).to.deep.equal((await source.chain.validators({ height: 21 })).validators);
    expect((await late.chain.validators({ height: 3 })).validators.validators).to.have.length(1);
    // A restored node offers snapshots too, with the proofs it began with.
    const second = new ChainFixture('alice', growing, late.storage, { snapshots: { everyBlocks: EVERY } });
    await second.start();
    while ((await second.tip()).height < 31) await second.advance();
    const third = await joining(second).start();
    const offered = await found(third);
    expect(offered.height).to.equal(30);
    expect((await third.chain.restore!({ snapshot: offered, peer: 'a' })).height).to.equal(30);
  });

  it('of a liar change nothing: every part leads to a certified header', async () => {
    const source = await grown(genesis, 21);
    const honest = await found(await joining(source).start());
    const system = SystemState.decode(honest.system);
    const wrong: readonly (readonly [string, Partial<Snapshot>])[] = [
      ['version', { version: 2 }],
      ['height', { height: 19 }],
      ['header', { header: honest.next }],
      ['next', { next: honest.header }],
      ['certificate', { certificate: { ...honest.certificate!, digest: new Uint8Array(32) } }],
      ['no seals', { certificate: { ...honest.certificate!, seals: [] } }],
      ['members', { system: SystemState.encode({ ...system, nextSequence: system.nextSequence + 1 }) }],
      ['root', { applicationRoot: new Uint8Array(32) }],
    ];
    for (const [name, change] of wrong) {
      expect(() => readSnapshot(genesis, { ...honest, ...change }), name).to.throw();
    }
    const lies: readonly (readonly [string, (request: Infer<typeof SnapshotRequest>, answer: Answer) => Answer])[] = [
      [
        'another value',
        (_, answer) => ({
          ...answer,
          page: answer.page && Buffer.from(Buffer.from(answer.page).toString().replace('key1', 'key9')),
        }),
      ],
      ['no page', (_, answer) => ({ ...answer, page: undefined })],
      ['no history', (_, answer) => ({ ...answer, history: [] })],
      [
        'another transaction',
        (_, { history, ...answer }) => ({
          ...answer,
          history: history.map(({ header, leaves }) => ({ header, leaves: leaves.map((byte) => byte ^ 1) })),
        }),
      ],
      ['a list too few', (_, { history, ...answer }) => ({ ...answer, history: history.slice(1) })],
      [
        'a leaf too few',
        (_, { history, ...answer }) => ({
          ...answer,
          history: history.map(({ header }) => ({ header, leaves: new Uint8Array(0) })),
        }),
      ],
    ];
    for (const [name, lie] of lies) {
      const late = await joining(source, lie).start();
      const before = await contents(late.storage);
      expect(await codeOf(late.chain.restore!({ snapshot: honest, peer: 'a' })), name).to.equal('ERR_SNAPSHOT_INVALID');
      expect(await contents(late.storage), name).to.deep.equal(before);
      expect((await late.tip()).height).to.equal(0);
    }
  });

  it('that never end are given up: at the second page that brings nothing, else after an hour', async () => {
    const source = await grown(genesis, 21);
    // Whatever page is asked for, the first one comes.
    const repeating = (node: ChainFixture): ChainFixture => {
      const fetch = node.peer;
      node.peer = (request) => {
        const wanted = SnapshotRequest.decode(request.body);
        return fetch({ ...request, body: SnapshotRequest.encode({ ...wanted, page: 0 }) });
      };
      return node;
    };
    const late = repeating(joining(source));
    await late.start();
    const before = await contents(late.storage);
    const endless = { ...(await found(late)), pages: 4_000_000_000 };
    expect(await codeOf(late.chain.restore!({ snapshot: endless, peer: 'a' }))).to.equal('ERR_SNAPSHOT_INVALID');
    expect(await contents(late.storage)).to.deep.equal(before);

    // Pages that always bring something.
    let asked = 0;
    const growing = repeating(
      joining(source, (_, { history, page }) => ({
        history,
        page:
          page &&
          Buffer.from(
            Buffer.from(page)
              .toString()
              .replace('key1', `key-${(asked += 1)}`),
          ),
      })),
    );
    const fetch = growing.peer;
    growing.peer = async (request) => {
      await growing.context.clock.advance(600_000);
      return fetch(request);
    };
    await growing.start();
    expect(await codeOf(growing.chain.restore!({ snapshot: endless, peer: 'a' }))).to.equal('ERR_SNAPSHOT_INVALID');
    expect(asked).to.equal(6);
    expect(await contents(growing.storage)).to.deep.equal(before);
  });

  it('larger than the config allows are given up, and leave nothing', async () => {
    const source = await grown(genesis, 21);
    // Each page is as good as an honest one, and a megabyte longer.
    let asked = 0;
    const late = joining(
      source,
      (_, answer) => {
        const { page, snapshot: offered } = answer;
        if (page === undefined || offered !== undefined) return answer;
        const pairs = JSON.parse(Buffer.from(page).toString()) as [string, string][];
        return {
          ...answer,
          page: Buffer.from(JSON.stringify([...pairs, [`big${(asked += 1)}`, 'x'.repeat(1_000_000)]])),
        };
      },
      undefined,
      { snapshots: { maxRestoreBytes: 5_000_000 } },
    );
    await late.start();
    const before = await contents(late.storage);
    const snapshot = { ...(await found(late)), pages: 4_000_000_000 };
    const error = await late.chain.restore!({ snapshot, peer: 'a' }).catch((cause: unknown) => cause as Error);
    expect((error as Error).message).to.include('more than 5000000 bytes');
    expect(asked).to.equal(3);
    expect(await contents(late.storage)).to.deep.equal(before);
  });

  it('are whole although the answer to the last write was lost', async () => {
    const source = await grown(genesis, 21);
    const late = joining(source);
    await late.start();
    const snapshot = await found(late);
    const undo = onLastWrite(late, () => {
      throw failure('ERR_BUS_TIMEOUT', 'the answer did not come');
    });
    expect((await late.chain.restore!({ snapshot, peer: 'a' })).height).to.equal(20);
    undo();
    const wanted = (await contents(source.storage)).filter((line) => line.startsWith('app ')).length;
    expect((await contents(late.storage)).filter((line) => line.startsWith('app ')).length).to.equal(wanted);
    expect((await late.tip()).height).to.equal(20);
  });

  it('are gone on with although the store could not be read after the last write', async () => {
    const source = await grown(genesis, 21);
    const late = joining(source);
    await late.start();
    const snapshot = await found(late);
    const read = late.storage.read.bind(late.storage);
    const undo = onLastWrite(late, () => {
      late.storage.read = () => Promise.reject(failure('ERR_STORAGE_IO', 'cannot be read now'));
    });
    expect(await codeOf(late.chain.restore!({ snapshot, peer: 'a' }))).to.equal('ERR_STORAGE_IO');
    undo();
    late.storage.read = read;
    // Whatever asks next finds the chain where the store is: it took block 1 again before, and blamed peers for it.
    expect(await codeOf(late.chain.restore!({ snapshot, peer: 'a' }))).to.equal('ERR_SNAPSHOT_INVALID');
    expect((await late.tip()).height).to.equal(20);
    await late.advance(transaction(genesis, 'alice', { text: 'key=more', expiresAt: 25 }));
    expect((await late.tip()).height).to.equal(21);
  });

  it('are not mixed with a chain that has blocks', async () => {
    const source = await grown(genesis, 21);
    const late = joining(source);
    await late.start();
    const snapshot = await found(late);
    await late.advance(transaction(genesis, 'alice', { expiresAt: 5 }));
    expect(await codeOf(late.chain.restore!({ snapshot, peer: 'a' }))).to.equal('ERR_SNAPSHOT_INVALID');
  });

  it('that were cut short by the end of the process are wiped at the next start', async () => {
    const source = await grown(genesis, 21);
    const storage = new CrashingStorage();
    const late = joining(source, undefined, storage);
    await late.start();
    const snapshot = await found(late);
    const before = await contents(storage);
    // Writes that fail from the third on stand for a process that is gone: it can tidy up nothing.
    const write = storage.write.bind(storage);
    let writes = 0;
    storage.write = async (request) => {
      if ((writes += 1) > 2) throw failure('ERR_STORAGE_CLOSED', 'gone');
      return write(request);
    };
    const restored = late.chain.restore!({ snapshot, peer: 'a' });
    expect(await codeOf(restored)).to.equal('ERR_STORAGE_CLOSED');
    storage.write = write;
    expect(await contents(storage)).to.not.deep.equal(before);
    const again = await joining(source, undefined, storage).start();
    expect(await contents(storage)).to.deep.equal(before);
    expect((await again.chain.restore!({ snapshot, peer: 'a' })).height).to.equal(20);
    expect(sameBytes((await again.tip()).digest, (await source.chain.get({ height: 20 })).digest)).to.equal(true);
  });
});
