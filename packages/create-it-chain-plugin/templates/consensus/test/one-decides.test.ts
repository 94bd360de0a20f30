import { deepEqual, equal } from 'node:assert/strict';
import { Block, failure } from '@it-chain/contracts';
import { ConsensusCluster, settle } from '@it-chain/testkit';
import plugin, { Config } from '../src/index.js';

describe('the one who decides', () => {
  it('signs the same block again after a crash between the signature and the commit', async () => {
    const cluster = new ConsensusCluster(plugin, Config.parse({}), ['alice']);
    const { chain, contradictions } = cluster.node(0);
    const commit = chain.commit.bind(chain);
    chain.commit = () => Promise.reject(failure('ERR_BUS_PROVIDER_LOST', 'crashed'));
    await cluster.start();
    await cluster.submit('first');
    await settle(100);
    await cluster.stop(0);
    chain.commit = commit;
    await cluster.submit('second');
    await cluster.start();
    await settle(100);
    const texts = chain.blocks.map(({ block }) =>
      Block.decode(block).transactions.map((one) => Buffer.from(one).toString()),
    );
    deepEqual(texts, [['first'], ['second'], []]);
    deepEqual(contradictions, []);
    await cluster.stop(0);
  });

  it('decides nothing in a network of several validators', async () => {
    const cluster = new ConsensusCluster(plugin, Config.parse({}), ['alice', 'bob']);
    await cluster.start(0);
    await cluster.submit('tx');
    equal(cluster.node(0).chain.tip.height, 0);
    equal((await cluster.status(0)).waiting.includes('2 validators'), true);
    await cluster.stop(0);
  });
});
