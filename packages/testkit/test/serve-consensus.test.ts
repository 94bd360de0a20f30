import { expect } from 'chai';
import {
  Block,
  BlockLog,
  Chain,
  Consensus,
  Identity,
  Storage,
  TxPool,
  definePlugin,
  failure,
  serveConsensus,
  toHex,
  type ChainTip,
  type DecisionEngine,
  type Plugin,
} from '@it-chain/contracts';
import { ConsensusCluster, settle, testConsensus } from '@it-chain/testkit';

/** An engine of one, in whose way a test can put something. */
function pluginOf(
  around: (tip: ChainTip, decide: () => Promise<boolean>) => Promise<boolean> = (_tip, go) => go(),
): Plugin {
  return definePlugin({
    name: 'one',
    version: '1.0.0',
    provides: [Consensus],
    requires: [Identity, Storage, TxPool, Chain],
    setup(context) {
      const [chain, identity] = [context.use(Chain), context.use(Identity)];
      const log = new BlockLog({ chain, storage: context.use(Storage) });
      const decide = async (tip: ChainTip): Promise<boolean> => {
        const built = await log.next(tip);
        if (built === undefined) return false;
        const [height, digest] = [tip.height + 1, built.digest];
        const vote = { type: 'commit' as const, height, round: 0, digest };
        const { signature } = await identity.signVote({ network: tip.network, vote });
        const certificate = { height, round: 0, digest, seals: [{ validator: 0, signature }] };
        const decided = { height, digest, certificate, block: built.block };
        await chain.commit({ ...decided, clearLogBelow: height + 1, sync: true });
        return true;
      };
      const engine: DecisionEngine = { decide: (tip) => around(tip, () => decide(tip)) };
      return serveConsensus(context, engine, { pollMs: 500 });
    },
  }) as unknown as Plugin;
}

const textsOf = (cluster: ConsensusCluster): string[][] =>
  cluster
    .node(0)
    .chain.blocks.map(({ block }) => Block.decode(block).transactions.map((one) => Buffer.from(one).toString()));

describe('an engine on serveConsensus, as the consensus role', () => {
  testConsensus(pluginOf(), { nodes: [1] });
});

describe('serveConsensus', () => {
  it('asks while there is work, then rests; tells each height, and the status', async () => {
    let asked = 0;
    const cluster = new ConsensusCluster<unknown>(
      pluginOf((_tip, decide) => {
        asked += 1;
        return decide();
      }),
      undefined,
      ['alice'],
    );
    await cluster.start();
    await cluster.submit('tx');
    await settle(100);
    expect(textsOf(cluster)).to.deep.equal([['tx'], []]);
    const before = asked;
    await cluster.clock.advance(60_000);
    expect(asked).to.equal(before);
    const { context } = cluster.node(0);
    expect(context.told(Consensus.events.round).map(({ height }) => height)).to.deep.equal([1, 2, 3]);
    const status = await cluster.status(0);
    expect(status).to.deep.include({ height: 3, round: 0, quorum: 1, validator: true, waiting: '' });
    expect(toHex(status.leader)).to.equal(toHex(context.identity.publicKey));
    await cluster.stop(0);
  });

  it('asks again after a failure, and says meanwhile what is wrong', async () => {
    let broken = true;
    const plugin = pluginOf((_tip, decide) =>
      broken ? Promise.reject(failure('ERR_BUS_TIMEOUT', 'the chain does not answer')) : decide(),
    );
    const cluster = new ConsensusCluster<unknown>(plugin, undefined, ['alice']);
    await cluster.start();
    await cluster.submit('tx');
    await settle(50);
    const { context } = cluster.node(0);
    expect((await cluster.status(0)).waiting).to.equal('the chain does not answer');
    expect(context.lastHealth.state).to.equal('degraded');
    broken = false;
    await cluster.clock.advance(500);
    await settle(50);
    expect(textsOf(cluster)).to.deep.equal([['tx'], []]);
    expect(context.lastHealth.state).to.equal('ok');
    await cluster.stop(0);
  });

  it('ends the node where its key has signed another block of the height, and asks no more', async () => {
    const cluster = new ConsensusCluster<unknown>(pluginOf(), undefined, ['alice']);
    cluster.node(0).guard.set('1/0/commit', 'ff'.repeat(32));
    await cluster.start();
    await cluster.submit('tx');
    await settle(50);
    await cluster.clock.advance(5_000);
    expect(cluster.node(0).context.fatals.map(({ kind }) => kind)).to.deep.equal(['safety']);
    await cluster.stop(0);
  });

  it('is quiet before the network is founded, and begins when it is', async () => {
    const cluster = new ConsensusCluster<unknown>(pluginOf(), undefined, ['alice']);
    cluster.founded = false;
    await cluster.start();
    await cluster.submit('early');
    await cluster.clock.advance(2_000);
    expect((await cluster.status(0)).waiting).to.equal('this node belongs to no network yet');
    expect(cluster.node(0).context.lastHealth.state).to.equal('ok');
    cluster.founded = true;
    await cluster.clock.advance(1_000);
    await settle(50);
    expect(textsOf(cluster)).to.deep.equal([['early'], []]);
    await cluster.stop(0);
  });

  it('stops behind the decision that is under way', async () => {
    let free: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (free = resolve));
    let done = false;
    const plugin = pluginOf(async (_tip, decide) => {
      await held;
      const decided = await decide();
      done = true;
      return decided;
    });
    const cluster = new ConsensusCluster<unknown>(plugin, undefined, ['alice']);
    await cluster.start();
    await cluster.submit('tx');
    const stopped = cluster.stop(0);
    free();
    await stopped;
    expect(done).to.equal(true);
    expect(textsOf(cluster)).to.deep.equal([['tx']]);
  });
});
