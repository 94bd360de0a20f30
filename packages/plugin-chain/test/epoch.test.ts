import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  Certificate,
  Genesis,
  Snapshot as SnapshotOf,
  SnapshotAnswer,
  SnapshotRequest,
  SystemState,
  Transport,
  failure,
  networkOf,
  recoveredSystemState,
  recoveryContent,
  sameBytes,
  sha256,
  signBytes,
  signingBytes,
  systemRootOf,
  toHex,
  utf8,
  verifiedGenesis,
  verifiedSnapshot,
  verifyNextBlock,
  type Infer,
  type Recovery,
  type Snapshot,
} from '@it-chain/contracts';
import { CrashingStorage, settle, type ChainBench } from '@it-chain/testkit';
import { ChainFixture, contents, digestOf, genesisOf, idOf, join, keysOf, transaction } from './fixture.js';

type Answer = Infer<typeof SnapshotAnswer>;
const before = genesisOf(['alice', 'bob'], { window: 20 });

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  );

/** A chain of alice and bob with `height` blocks, the last of which is not empty. */
async function grown(height: number, config: object = {}): Promise<ChainFixture> {
  keysOf('bob');
  const node = await new ChainFixture('alice', before, new CrashingStorage(), {
    peerRequestsPerSecond: 10_000,
    ...config,
  }).start();
  await node.advance(transaction(before, 'alice', { membership: join(before, 'carol'), expiresAt: 20 }));
  while ((await node.tip()).height < height) {
    const at = (await node.tip()).height + 1;
    await node.advance(transaction(before, 'alice', { text: `key${at}=${at}`, expiresAt: at + 5 }));
  }
  return node;
}

interface Drawn {
  readonly validators?: readonly string[];
  readonly operator?: string;
  readonly changes?: Partial<Genesis>;
  readonly recovery?: Partial<Recovery>;
}

/** A genesis that goes on from the tip of a node, signed. */
async function drawn(
  node: ChainBench,
  { validators = ['alice'], operator, changes, recovery }: Drawn = {},
): Promise<Genesis> {
  const { network, height, digest, stateRoot, applicationRoot, time } = await node.tip();
  const keys = validators.map((name) => keysOf(name).publicKey);
  const { state } = await node.chain.members({});
  const signer = keysOf(operator ?? validators[0] ?? '');
  const unsigned: Genesis = {
    ...node.genesis,
    nonce: sha256(utf8('recovered')),
    founder: signer.publicKey,
    validators: keys,
    time: time + 5_000,
    ...changes,
    recovery: {
      network,
      height,
      digest,
      stateRoot,
      systemRoot: systemRootOf(recoveredSystemState(state, keys)),
      applicationRoot,
      reason: 'the disk of bob is gone',
      signature: new Uint8Array(64),
      ...recovery,
    },
  };
  const content = recoveryContent(unsigned);
  const signature = signBytes(signingBytes('recovery', unsigned.recovery!.network, content), signer.secretKey);
  return { ...unsigned, recovery: { ...unsigned.recovery!, signature } };
}

/** The same node after its recovery, as a new process. */
async function recovered(node: ChainBench, genesis: Genesis, config: object = {}): Promise<ChainFixture> {
  node.founded = false;
  await node.chain.recover!({ genesis: Genesis.encode(genesis) });
  const next = new ChainFixture('alice', genesis, node.storage, { peerRequestsPerSecond: 10_000, ...config });
  await next.clock.advance(10_000);
  return next.start();
}

/** A recovered chain that begins at a height. */
async function recoveredFrom(height: number, draft: Drawn = {}, config: object = {}): Promise<ChainFixture> {
  const node = await grown(height, config);
  return recovered(node, await drawn(node, draft), config);
}

let requests = 0;

/** A new node whose only peer is `source`; `lie` changes what that answers. */
function joining(
  source: ChainBench,
  lie: (request: Infer<typeof SnapshotRequest>, answer: Answer) => Answer = (_request, answer) => answer,
): ChainFixture {
  const node = new ChainFixture('carol', source.genesis, new CrashingStorage(), { peerRequestsPerSecond: 10_000 });
  node.sessions = ['a'];
  node.peer = async ({ kind, body }) => {
    const requestId = `joining-${(requests += 1)}`;
    const asked = { from: 'carol', publicKey: new Uint8Array(32), requestId, kind, body };
    await source.context.tell(Transport.events.asked, asked);
    await settle();
    const { errorCode, body: encoded } = source.answered.find((one) => one.requestId === requestId)!;
    if (errorCode !== '') throw failure('ERR_PEER_BUSY', errorCode);
    return SnapshotAnswer.encode(lie(SnapshotRequest.decode(body), SnapshotAnswer.decode(encoded)));
  };
  return node;
}

/** Waits until a node that joins has its beginning. */
async function entered(node: ChainBench): Promise<ChainBench> {
  for (let turn = 0; turn < 50 && (await codeOf(node.tip())) !== 'done'; turn += 1) {
    await node.clock.advance(200);
    await settle();
  }
  return node;
}

async function follow(node: ChainBench, source: ChainBench): Promise<void> {
  const { blocks } = await source.chain.range({ from: (await node.tip()).height + 1, maxCount: 0, maxBytes: 0 });
  for (const { block, certificate } of blocks) {
    const read = Block.decode(block);
    const { height } = BlockHeader.decode(read.header);
    await node.commit(height, digestOf(read, node.genesis), Certificate.decode(certificate), read);
  }
}

describe('a network that recovers another one', () => {
  it('goes on from the last block with the state, the receipts and the committed ids of the one before', async () => {
    const node = await grown(6);
    const old = await node.tip();
    const lost = transaction(before, 'bob', { text: 'key6=other', expiresAt: 20 });
    const { block } = (await node.chain.get({ height: 6 })).block!;
    const [committed] = Block.decode((await node.chain.get({ height: 6 })).block!.block).transactions;
    const genesis = await drawn(node);
    const after = await recovered(node, genesis);
    const tip = await after.tip();
    expect(toHex(tip.network))
      .to.equal(toHex(networkOf(genesis)))
      .and.not.equal(toHex(old.network));
    expect(tip).to.deep.include({ height: 6, rootCertified: false });
    expect(toHex(tip.digest)).to.equal(toHex(tip.network));
    expect(toHex(tip.applicationRoot)).to.equal(toHex(old.applicationRoot));
    expect(tip.validators.validators.map(({ publicKey }) => toHex(publicKey))).to.deep.equal([
      toHex(keysOf('alice').publicKey),
    ]);
    expect(tip.learners.map(({ name, sequence }) => [name, sequence])).to.deep.equal([['carol', 1]]);
    // What the network before has committed is known, with its receipt; its block can be read and is not given to peers.
    const [located] = (await after.chain.locate({ ids: [idOf(committed!)] })).transactions;
    expect(located?.location).to.deep.equal({ height: 6, index: 0 });
    expect(located?.receipt?.code).to.equal(0);
    expect(Buffer.from((await after.chain.get({ height: 6 })).block!.block).equals(block)).to.equal(true);
    expect(await codeOf(after.chain.range({ from: 6, maxCount: 1, maxBytes: 0 }))).to.equal('ERR_BLOCK_NOT_FOUND');
    // One validator decides, and nothing that was signed for the network before comes into a block again.
    after.pooled = [lost, committed!];
    const made = await after.chain.build({ height: 7 });
    expect(made.block.transactions).to.have.length(0);
    const first = await after.advance(transaction(genesis, 'alice', { text: 'key7=7', expiresAt: 20 }));
    const header = BlockHeader.decode(first.block.header);
    expect(toHex(header.previous)).to.equal(toHex(tip.network));
    expect(toHex(header.previousStateRoot)).to.equal(toHex(tip.stateRoot));
    const again = await after.restart();
    expect(await again.tip()).to.deep.equal(await after.tip());
    expect((await again.tip()).height).to.equal(7);
  });

  it('is verified offline from what it begins with, not from its genesis alone', async () => {
    const after = await recoveredFrom(4);
    await after.advance(transaction(after.genesis, 'alice', { expiresAt: 20 }));
    await after.advance();
    expect(() => verifiedGenesis(after.genesis)).to.throw('recovered network');
    const { snapshot } = await after.chain.base!({});
    let at = verifiedSnapshot(after.genesis, snapshot!);
    for (const block of (await after.chain.range({ from: 5, maxCount: 0, maxBytes: 0 })).blocks) {
      at = verifyNextBlock(at, block);
    }
    expect([at.height, toHex(at.digest)]).to.deep.equal([6, toHex((await after.tip()).digest)]);
    for (const change of [{ height: 3 }, { applicationRoot: new Uint8Array(32) }, { header: utf8('x') }]) {
      expect(() => verifiedSnapshot(after.genesis, { ...snapshot!, ...change })).to.throw();
    }
    expect(() => verifiedSnapshot(before, snapshot!)).to.throw();
  });

  it('is refused where its genesis does not go on from this very chain by a member of it, and then changes nothing', async () => {
    const node = await grown(5);
    const state = await contents(node.storage);
    const running = node.chain.recover!({ genesis: Genesis.encode(await drawn(node)) });
    expect(await running.catch((error: unknown) => (error as Error).message)).to.include('the node runs');
    // From here on as in a command: there is no p2p that belongs to a network.
    node.founded = false;
    const wrong = new Uint8Array(32).fill(7);
    const rows: readonly (readonly [string, Drawn])[] = [
      ['another network', { recovery: { network: wrong } }],
      ['a lower height', { recovery: { height: 4 } }],
      ['a higher height', { recovery: { height: 6 } }],
      ['another block', { recovery: { digest: wrong } }],
      ['another state', { recovery: { stateRoot: wrong } }],
      ['another application', { changes: { application: 'other/1' } }],
      ['a window in which nothing is valid', { changes: { window: 0 } }],
      ['smaller blocks', { changes: { maxBlockBytes: 1 } }],
      ['a higher minimum', { changes: { minValidators: 3 } }],
      ['other members', { recovery: { systemRoot: wrong } }],
      ['another application state', { recovery: { applicationRoot: wrong } }],
      ['a stranger in the set', { validators: ['alice', 'mallory'] }],
      ['a set without its founder', { validators: ['alice'], operator: 'bob' }],
      ['a stranger alone', { validators: ['mallory'] }],
      ['no validators', { validators: ['alice'], changes: { validators: [] } }],
      ['a validator twice', { validators: ['alice', 'alice'] }],
    ];
    for (const [name, draft] of rows) {
      keysOf('mallory');
      const genesis = Genesis.encode(await drawn(node, draft));
      expect(await codeOf(node.chain.recover!({ genesis })), name).to.equal('ERR_RECOVERY_REFUSED');
    }
    const signed = await drawn(node);
    for (const genesis of [{ ...signed, time: signed.time + 1 }, genesisOf(['alice'])]) {
      expect(await codeOf(node.chain.recover!({ genesis: Genesis.encode(genesis) }))).to.equal('ERR_RECOVERY_REFUSED');
    }
    expect(await codeOf(node.chain.recover!({ genesis: utf8('nothing') }))).to.equal('ERR_DATA_MALFORMED');
    expect(await contents(node.storage)).to.deep.equal(state);
    // The state that was carried over is not the one that the tip names.
    await node.storage.write({
      writes: [{ namespace: 'app', key: utf8('key2'), value: utf8('other') }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    expect(await codeOf(node.chain.recover!({ genesis: Genesis.encode(signed) }))).to.equal('ERR_RECOVERY_REFUSED');
  });

  it('gives its beginning to a new node, which gives it on; until then that node has no chain and says why', async () => {
    const node = await recoveredFrom(9, { validators: ['alice', 'carol'] });
    await node.advance(transaction(node.genesis, 'alice', { text: 'key1=new', expiresAt: 25 }));
    const alone = joining(node);
    alone.sessions = [];
    await alone.start();
    expect(await codeOf(alone.tip())).to.equal('ERR_NETWORK_UNFOUNDED');
    expect(await codeOf(alone.chain.build({ height: 1 }))).to.equal('ERR_NETWORK_UNFOUNDED');
    expect(alone.context.lastHealth).to.deep.include({ state: 'degraded' });
    alone.sessions = ['a'];
    await entered(alone);
    expect((await alone.tip()).height).to.equal(9);
    expect(alone.context.lastHealth).to.deep.include({ state: 'ok' });
    await follow(alone, node);
    expect(await alone.tip()).to.deep.equal(await node.tip());
    const third = await entered(await joining(await alone.restart()).start());
    await follow(third, node);
    expect(await third.tip()).to.deep.equal(await node.tip());
    expect(toHex(await third.application.root())).to.equal(toHex(await node.application.root()));
  });

  it('takes nothing from a liar, and the truth from the next one', async () => {
    const node = await recoveredFrom(9);
    const mallory = SystemState.encode({
      validators: [{ publicKey: keysOf('mallory').publicKey, sequence: 0 }],
      learners: [],
      nextSequence: 1,
      proposals: [],
      evicted: [],
    });
    const change = (answer: Answer, changes: Partial<Snapshot>): Answer =>
      answer.snapshot === undefined ? answer : { ...answer, snapshot: snapshotBytes(answer.snapshot, changes) };
    const lies: readonly (readonly [string, (request: Infer<typeof SnapshotRequest>, answer: Answer) => Answer])[] = [
      ['other members', (_, answer) => change(answer, { system: mallory })],
      ['another root', (_, answer) => change(answer, { applicationRoot: new Uint8Array(32) })],
      ['another height', (_, answer) => change(answer, { height: 8 })],
      ['fewer pages', (_, answer) => change(answer, { pages: 1 })],
      ['an empty page', (_, answer) => ({ ...answer, page: answer.page && utf8('[]') })],
    ];
    for (const [name, lie] of lies) {
      let lying = true;
      const late = joining(node, (request, answer) => (lying ? lie(request, answer) : answer));
      await late.start();
      expect(await codeOf(late.tip()), name).to.equal('ERR_NETWORK_UNFOUNDED');
      expect(await contents(late.storage), name).to.deep.equal([]);
      lying = false;
      await entered(late);
      expect((await late.tip()).height, name).to.equal(9);
    }
  });

  it('is entered by its later snapshots too, and forgets the ids of the network before when they have expired', async () => {
    const config = { snapshots: { everyBlocks: 10 }, prune: { keepBlocks: 1 } };
    const node = await recoveredFrom(9, {}, config);
    const ids = async (of: ChainBench): Promise<number> =>
      (await contents(of.storage)).filter((line) => line.startsWith('chain 742f')).length;
    expect(await ids(node)).to.equal(9);
    while ((await node.tip()).height < 33) await node.advance();
    expect(await ids(node)).to.equal(0);
    const late = await entered(await joining(node).start());
    expect((await late.tip()).height).to.equal(30);
    await follow(late, node);
    expect(await late.tip()).to.deep.equal(await node.tip());
    expect((await node.chain.get({ height: 5 })).block).to.equal(undefined);
  });

  it('is recovered once more from where it began', async () => {
    const first = await recoveredFrom(5, { validators: ['alice', 'carol'] });
    const genesis = await drawn(first, { changes: { nonce: sha256(utf8('again')) } });
    const second = await recovered(first, genesis);
    expect(sameBytes(genesis.recovery!.network, networkOf(first.genesis))).to.equal(true);
    await second.advance(transaction(genesis, 'alice', { expiresAt: 20 }));
    expect((await second.tip()).height).to.equal(6);
  });
});

function snapshotBytes(encoded: Uint8Array, changes: Partial<Snapshot>): Uint8Array {
  return SnapshotOf.encode({ ...SnapshotOf.decode(encoded), ...changes });
}
