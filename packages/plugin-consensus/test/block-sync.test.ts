import { expect } from 'chai';
import {
  Block,
  Certificate,
  GENESIS_DEFAULTS,
  SystemState,
  failure,
  genesisSystemState,
  networkOf,
  quorumOf,
  sha256,
  systemRootOf,
  utf8,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
  type Genesis,
  type Snapshot,
} from '@it-chain/contracts';
import { ManualClock, RecordingLog, settle } from '@it-chain/testkit';
import { BlockSync, readDecided } from '../dist/driver/block-sync.js';
import { NETWORK, blockOn, digestOf, genesisTip, keyOf, signatureOf, tipAfter } from './support/fixtures.js';

/** A genesis that a recovered network begins with at this height: its snapshot needs no signatures. */
function recoveredGenesis(height: number): Genesis {
  const plain: Genesis = {
    ...GENESIS_DEFAULTS,
    nonce: sha256(utf8('nonce')),
    founder: keyOf(0),
    validators: [keyOf(0)],
    admission: 'open',
    application: 'tested/1',
    time: 1,
  };
  const recovery = {
    network: NETWORK,
    height,
    digest: sha256(utf8('block')),
    stateRoot: sha256(utf8('both')),
    systemRoot: systemRootOf(genesisSystemState(plain)),
    applicationRoot: sha256(utf8('state')),
    reason: 'test',
    signature: new Uint8Array(64),
  };
  return { ...plain, recovery };
}

function snapshotOf(genesis: Genesis): Snapshot {
  const nothing = new Uint8Array(0);
  return {
    version: 2,
    height: genesis.recovery?.height ?? 0,
    header: nothing,
    next: nothing,
    system: SystemState.encode(genesisSystemState(genesis)),
    applicationRoot: genesis.recovery?.applicationRoot ?? nothing,
    pages: 1,
    sets: [],
  };
}

/** `count` certified blocks on a tip of four validators. */
function chainOf(tip: ChainTip, count: number): CertifiedBlock[] {
  const blocks: CertifiedBlock[] = [];
  let on = tip;
  for (let height = 0; height < count; height += 1) {
    const block = blockOn(on, 0);
    const seals = [0, 1, 2].map((validator) => ({ validator, signature: signatureOf(keyOf(validator)) }));
    const certificate = { height: on.height + 1, round: 0, digest: digestOf(block), seals };
    blocks.push({ block: Block.encode(block), certificate: Certificate.encode(certificate) });
    on = tipAfter(on, block);
  }
  return blocks;
}

type Fetch = Chain['fetch'];

/** A block sync with all that is around it in the hands of the test. */
class SyncBench {
  readonly clock = new ManualClock();
  readonly claims = new Map<string, number>();
  readonly asked: string[][] = [];
  readonly wrong: string[] = [];
  readonly near: number[] = [];
  tip = genesisTip(4);
  commits = 0;
  fetch: Fetch = () => Promise.resolve({ blocks: [], sources: [] });
  readonly sync: BlockSync;

  constructor(
    genesis = recoveredGenesis(0),
    chain: Partial<Chain> = {},
    snapshotAfterBlocks = 0,
    verify?: () => Promise<boolean[]>,
  ) {
    const network = snapshotAfterBlocks > 0 ? networkOf(genesis) : NETWORK;
    this.sync = new BlockSync(
      { network, genesis, syncBlocks: 100, snapshotAfterBlocks },
      {
        chain: {
          ...chain,
          fetch: (request, call) => {
            this.asked.push([...request.peers]);
            return this.fetch(request, call);
          },
          commit: async ({ block }) => {
            this.tip = tipAfter(this.tip, block ?? blockOn(this.tip, 0));
            this.commits += 1;
            return this.tip;
          },
        } as Chain,
        clock: this.clock,
        log: new RecordingLog(),
        blocks: { add: () => undefined },
        verify:
          verify ??
          (async (checks) => checks.map(({ publicKey, signature }) => same(signatureOf(publicKey), signature))),
        height: () => this.tip.height,
        sources: () =>
          [...this.claims]
            .map(([nodeId, height]) => ({ nodeId, height }))
            .filter(({ nodeId }) => !this.wrong.includes(nodeId)),
        exclusive: async (work) => {
          this.tip = await work(this.tip);
        },
        onNearTip: ({ height }) => void this.near.push(height),
        onWrong: (nodeId) => void this.wrong.push(nodeId),
        isStopped: () => false,
      },
    );
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe('block sync', () => {
  const never = (): Promise<never> => new Promise(() => undefined);

  it('tells each of the last tips of a range, so that votes of the next height are taken in time', async () => {
    const bench = new SyncBench();
    const blocks = chainOf(bench.tip, 6);
    bench.claims.set('honest', 6);
    bench.fetch = () => Promise.resolve({ blocks, sources: blocks.map(() => 'honest') });
    await bench.sync.run();
    // The last one is told by whoever holds the tip.
    expect(bench.near).to.deep.equal([4, 5]);
    expect(bench.commits).to.equal(6);
  });

  it('waits for an answer without holding anything up, and asks a peer that comes up meanwhile', async () => {
    const bench = new SyncBench();
    const blocks = chainOf(bench.tip, 3);
    bench.claims.set('boaster', 1_000);
    bench.fetch = ({ peers }) => (peers.includes('honest') ? Promise.resolve({ blocks, sources: ['honest', 'honest', 'honest'] }) : never()); // prettier-ignore
    void bench.sync.run();
    await settle();
    expect(bench.asked).to.deep.equal([['boaster']]);
    bench.claims.set('honest', 3);
    void bench.sync.run();
    await settle();
    expect(bench.asked[1]).to.deep.equal(['honest']);
    expect(bench.tip.height).to.equal(3);
  });

  it('leaves out what was decided here while it was fetched', async () => {
    const bench = new SyncBench();
    const start = bench.tip;
    const blocks = chainOf(start, 3);
    bench.claims.set('honest', 3);
    bench.fetch = () => {
      bench.tip = tipAfter(start, blockOn(start, 0));
      return Promise.resolve({ blocks, sources: ['honest', 'honest', 'honest'] });
    };
    await bench.sync.run();
    expect([bench.tip.height, bench.commits]).to.deep.equal([3, 2]);
  });

  it('does not ask again at once whoever gave nothing, also where the whole request failed', async () => {
    for (const fetch of [
      () => Promise.resolve({ blocks: [], sources: [] }),
      () => Promise.reject(failure('ERR_BUS_TIMEOUT', 'no answer in time', { retryable: true })),
    ]) {
      const bench = new SyncBench();
      bench.fetch = fetch;
      bench.claims.set('boaster', 1_000);
      await bench.sync.run().catch(() => undefined);
      await bench.sync.run();
      expect(bench.asked).to.have.length(1);
      await bench.clock.advance(2_001);
      await bench.sync.run().catch(() => undefined);
      expect(bench.asked).to.have.length(2);
      // The second pause is longer; a new session begins anew.
      await bench.clock.advance(2_001);
      await bench.sync.run();
      expect(bench.asked).to.have.length(2);
      bench.claims.clear();
      await bench.sync.run();
      bench.claims.set('boaster', 1_000);
      await bench.sync.run().catch(() => undefined);
      expect(bench.asked).to.have.length(3);
    }
  });

  describe('a certified block of a height that is committed here', () => {
    const founded = genesisTip(1);
    const ours = new Uint8Array(32).fill(9);
    /** One seal of the founder on a block of height 1, whose set is the founder alone; the certificate names `height`. */
    const shown = (height: number): { block: Block; certificate: Certificate } => {
      const block = blockOn(founded, 0);
      const seals = [{ validator: 0, signature: signatureOf(keyOf(0)) }];
      return { block, certificate: { height, round: 0, digest: digestOf(block), seals } };
    };
    const bench = (validators: Chain['validators'], verify?: () => Promise<boolean[]>): SyncBench =>
      new SyncBench(recoveredGenesis(0), { validators }, 0, verify);
    const ofHeight: Chain['validators'] = ({ height }) => {
      const n = height === 1 ? 1 : 4;
      return Promise.resolve({ height, validators: genesisTip(n).validators, quorum: quorumOf(n) });
    };
    const judge = (at: SyncBench, { block, certificate }: ReturnType<typeof shown>, height: number) =>
      at.sync.judge(readDecided(block, certificate, 'liar', NETWORK), height, ours);

    it('is another one where the set of that height has signed it', async () => {
      const at = bench(ofHeight);
      expect(await judge(at, shown(1), 1)).to.deep.equal(digestOf(shown(1).block));
      expect(at.wrong).to.deep.equal([]);
    });

    it("is nobody else's violation where its certificate names another height than its header", async () => {
      const at = bench(ofHeight);
      // Four validators decide height 4; the key of the founder alone must not overrule them.
      expect(await judge(at, shown(4), 4)).to.equal(undefined);
      expect(at.wrong).to.deep.equal(['liar']);
    });

    it('is no violation where it is a true block of another height than was asked for', async () => {
      const at = bench(ofHeight);
      expect(await judge(at, shown(1), 4)).to.equal(undefined);
      expect(at.wrong).to.deep.equal(['liar']);
    });

    it('is not held against its bearer where it could not be verified now', async () => {
      const at = bench(ofHeight, () =>
        Promise.reject(failure('ERR_PLUGIN_VERIFIER_FULL', 'full', { retryable: true })),
      );
      expect(
        await judge(at, shown(1), 1).then(
          () => 'judged',
          (error: unknown) => (error as { code: string }).code,
        ),
      ).to.equal('ERR_PLUGIN_VERIFIER_FULL');
      expect(at.wrong).to.deep.equal([]);
    });
  });

  it('lets nobody pay for the false block of another one', async () => {
    const bench = new SyncBench();
    const blocks = chainOf(bench.tip, 1);
    const [first] = blocks;
    if (first === undefined) throw new RangeError('no block');
    const certificate = Certificate.decode(first.certificate);
    const seals = certificate.seals.map((seal) => ({ ...seal, signature: new Uint8Array(64) }));
    const forged = { block: first.block, certificate: Certificate.encode({ ...certificate, seals }) };
    bench.claims.set('liar', 9).set('honest', 1);
    bench.fetch = ({ peers }) =>
      Promise.resolve(
        peers.includes('liar') ? { blocks: [forged], sources: ['liar'] } : { blocks, sources: ['honest'] },
      );
    await bench.sync.run();
    expect(bench.wrong).to.deep.equal(['liar']);
    expect(bench.tip.height).to.equal(1);
  });

  it('measures a snapshot by the height of the peer that offers it, whatever another one boasts of', async () => {
    const genesis = recoveredGenesis(100);
    const bench: SyncBench = new SyncBench(
      genesis,
      {
        findSnapshot: () => Promise.resolve({ snapshot: snapshotOf(genesis), peer: 'honest' }),
        restore: () => Promise.resolve((bench.tip = { ...bench.tip, height: 100 })),
      },
      20,
    );
    bench.fetch = () => Promise.resolve({ blocks: [], sources: [] });
    bench.claims.set('boaster', 1_000_000).set('honest', 150);
    await bench.sync.run();
    expect(bench.tip.height).to.equal(100);
  });

  it('keeps an answer that is under way when another peer comes up', async () => {
    const bench = new SyncBench();
    const blocks = chainOf(bench.tip, 3);
    let answer = (): void => undefined;
    bench.claims.set('slow', 3);
    bench.fetch = ({ peers }) =>
      peers.includes('slow')
        ? new Promise((resolve) => (answer = () => resolve({ blocks, sources: blocks.map(() => 'slow') })))
        : never();
    const done = bench.sync.run();
    await settle();
    bench.claims.set('boaster', 1_000);
    void bench.sync.run();
    await settle();
    expect(bench.asked).to.deep.equal([['slow'], ['boaster']]);
    answer();
    await settle();
    expect(bench.tip.height).to.equal(3);
    bench.claims.delete('boaster');
    void done;
  });

  it('does not blame a peer for its snapshot where a block was committed meanwhile', async () => {
    const genesis = recoveredGenesis(100);
    let restored = 0;
    const bench: SyncBench = new SyncBench(
      genesis,
      {
        findSnapshot: async () => {
          // Decided while the offers were waited for: such a chain does not begin with a snapshot any more.
          bench.tip = tipAfter(bench.tip, blockOn(bench.tip, 0));
          return { snapshot: snapshotOf(genesis), peer: 'honest' };
        },
        restore: async () => {
          restored += 1;
          throw failure('ERR_SNAPSHOT_INVALID', 'a chain of height 1 does not begin with a snapshot');
        },
      },
      20,
    );
    bench.claims.set('honest', 150);
    await bench.sync.run();
    expect({ wrong: bench.wrong, restored }).to.deep.equal({ wrong: [], restored: 0 });
    expect(bench.asked).to.deep.equal([['honest']]);
  });
});
