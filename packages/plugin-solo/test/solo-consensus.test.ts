import { expect } from 'chai';
import {
  Block,
  Certificate,
  Chain,
  Consensus,
  certificateChecks,
  failure,
  sameBytes,
  toHex,
} from '@it-chain/contracts';
import { ConsensusCluster, settle } from '@it-chain/testkit';
import soloPlugin, { SoloConfig } from '@it-chain/plugin-solo';

const alone = (config: Record<string, unknown> = {}, names = ['alice']): ConsensusCluster<SoloConfig> =>
  new ConsensusCluster(soloPlugin, SoloConfig.parse(config), names);
const transactionsOf = (cluster: ConsensusCluster<SoloConfig>): string[][] =>
  cluster
    .node(0)
    .chain.blocks.map(({ block }) => Block.decode(block).transactions.map((one) => Buffer.from(one).toString()));

describe('SoloConsensus', () => {
  it('commits what waits at once, and one empty block that certifies its root; then it rests', async () => {
    const cluster = alone();
    await cluster.start();
    await cluster.submit('tx');
    await settle(100);
    expect(transactionsOf(cluster)).to.deep.equal([['tx'], []]);
    await cluster.clock.advance(60_000);
    expect(cluster.node(0).chain.tip.height).to.equal(2);
    expect(await cluster.status(0)).to.deep.include({ height: 3, round: 0, validator: true, waiting: '' });
  });

  it('gives certificates that everybody can check, and says who leads', async () => {
    const cluster = alone();
    await cluster.start();
    await cluster.submit('tx');
    await settle(100);
    const { context, chain } = cluster.node(0);
    for (const [index, { certificate }] of chain.blocks.entries()) {
      const digest = chain.tips[index + 1]?.digest ?? new Uint8Array(0);
      const checks = certificateChecks(Certificate.decode(certificate), cluster.network, cluster.set, digest);
      expect(await context.verify(checks)).to.deep.equal([true]);
    }
    const told = context.told(Consensus.events.round);
    expect(told.map(({ height }) => height)).to.deep.equal([1, 2, 3]);
    expect(told.every(({ leader }) => sameBytes(leader, context.keys.publicKey))).to.equal(true);
  });

  it('founds by itself, or waits for that where the config says so', async () => {
    const waiting = alone({ found: false });
    waiting.founded = false;
    await waiting.start();
    await waiting.clock.advance(5_000);
    expect(waiting.founded).to.equal(false);
    expect((await waiting.status(0)).waiting).to.equal('this node belongs to no network yet');
    const founding = alone();
    founding.founded = false;
    await founding.start();
    await founding.submit('early');
    await founding.clock.advance(2_000);
    expect(transactionsOf(founding)).to.deep.equal([['early'], []]);
  });

  it('signs the same block again after a crash between the signature and the commit', async () => {
    const cluster = alone();
    const node = cluster.node(0);
    const commit = node.chain.commit.bind(node.chain);
    node.chain.commit = () => Promise.reject(failure('ERR_BUS_PROVIDER_LOST', 'crashed'));
    await cluster.start();
    await cluster.submit('first');
    await settle(100);
    await cluster.stop(0);
    expect([...node.guard.keys()]).to.deep.equal(['1/0/commit']);
    node.chain.commit = commit;
    // Another block would hold this one, too, and have another digest, which the guard refuses.
    await cluster.submit('second');
    await cluster.start();
    await settle(100);
    expect(transactionsOf(cluster)).to.deep.equal([['first'], ['second'], []]);
    expect(node.guard.get('1/0/commit')).to.equal(toHex(node.chain.tips[1]?.digest ?? new Uint8Array(0)));
    expect(node.context.fatals).to.deep.equal([]);
  });

  it('tries again after a failure, and says meanwhile what is wrong', async () => {
    const cluster = alone();
    await cluster.start();
    const node = cluster.node(0);
    const build = node.chain.build.bind(node.chain);
    node.chain.build = () => {
      throw failure('ERR_BUS_TIMEOUT', 'the chain does not answer');
    };
    await cluster.submit('tx');
    await settle(50);
    expect((await cluster.status(0)).waiting).to.include('the chain does not answer');
    expect(node.context.lastHealth.state).to.equal('degraded');
    node.chain.build = build;
    await cluster.clock.advance(1_000);
    await settle(50);
    expect(transactionsOf(cluster)).to.deep.equal([['tx'], []]);
    expect(node.context.lastHealth.state).to.equal('ok');
  });

  it('refuses a network with more than one validator, by name, and signs nothing in it', async () => {
    const cluster = alone({}, ['alice', 'bob']);
    await cluster.start(0);
    await cluster.submit('tx');
    await settle(50);
    const { context, guard, chain } = cluster.node(0);
    expect(context.fatals.map(({ kind, error }) => [kind, (error as { code?: string }).code])).to.deep.equal([
      ['failed', 'ERR_CONSENSUS_NOT_SOLO'],
    ]);
    expect(guard.size).to.equal(0);
    expect(chain.tip.height).to.equal(0);
    expect((await cluster.status(0)).waiting).to.include('it has 2 validators');
  });

  it('refuses a network whose one validator is another node', async () => {
    const cluster = new ConsensusCluster(soloPlugin, SoloConfig.parse({}), ['alice', 'bob'], { validators: 1 });
    await cluster.start(1);
    await settle(50);
    expect((await cluster.status(1)).waiting).to.include('another node is the validator');
    expect(cluster.node(1).context.fatals).to.have.length(1);
  });

  it('stops at the block that makes a second validator', async () => {
    const cluster = alone();
    await cluster.start();
    const { chain, context } = cluster.node(0);
    const other = new Uint8Array(32).fill(7);
    await cluster.submit('tx');
    await settle(50);
    const { tip } = chain;
    const validators = [...tip.nextValidators.validators, { publicKey: other, sequence: 1 }];
    chain.tips.push({ ...tip, nextValidators: { validators } });
    await cluster.submit('more');
    await settle(50);
    expect(context.fatals.map(({ error }) => (error as { code?: string }).code)).to.deep.equal([
      'ERR_CONSENSUS_NOT_SOLO',
    ]);
  });

  it('ends the process where its key has signed another block of the height', async () => {
    const cluster = alone();
    cluster.node(0).guard.set('1/0/commit', 'ff'.repeat(32));
    await cluster.start();
    await cluster.submit('tx');
    await settle(50);
    expect(cluster.node(0).context.fatals.map(({ kind }) => kind)).to.deep.equal(['safety']);
  });

  it('gathers transactions for the pause of its config', async () => {
    const cluster = alone({ minIntervalMs: 500 });
    await cluster.start();
    await cluster.submit('a');
    await cluster.submit('b');
    await cluster.submit('c');
    expect(transactionsOf(cluster)).to.deep.equal([['a']]);
    await cluster.clock.advance(600);
    expect(transactionsOf(cluster)).to.deep.equal([['a'], ['b', 'c']]);
  });

  it('requires what it calls', () => {
    expect(soloPlugin.requires).to.include(Chain);
    expect(soloPlugin.provides).to.deep.equal([Consensus]);
  });
});
