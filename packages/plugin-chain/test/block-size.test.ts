import { expect } from 'chai';
import { BlockSize } from '../dist/block-size.js';
import { ChainFixture, genesisOf, transaction } from './fixture.js';

const genesis = { maxBlockTransactions: 4_000 };

describe('the size of a block', () => {
  it('halves with each round, down to a few transactions', () => {
    const size = new BlockSize();
    expect([0, 1, 2, 5, 8, 40].map((round) => size.limit(genesis, round))).to.deep.equal([
      4_000, 2_000, 1_000, 125, 16, 16,
    ]);
    expect(size.limit({ maxBlockTransactions: 10 }, 3)).to.equal(10);
  });

  it('goes on from what was decided late, and grows with full blocks that are decided at once', () => {
    const size = new BlockSize();
    size.decided(genesis, 4, 250);
    expect(size.limit(genesis, 0)).to.equal(250);
    size.decided(genesis, 0, 100);
    expect(size.limit(genesis, 0)).to.equal(250);
    for (const full of [250, 313, 392]) size.decided(genesis, 0, full);
    expect(size.limit(genesis, 0)).to.equal(490);
    for (let height = 0; height < 20; height += 1) size.decided(genesis, 0, 4_000);
    expect(size.limit(genesis, 0)).to.equal(4_000);
  });

  it('one block is made at a time, however often it is asked for, and a later round gets fewer transactions', async () => {
    const rules = genesisOf(['alice'], { maxBlockTransactions: 40, maxBlockBytes: 100_000 });
    const node = await new ChainFixture('alice', rules, undefined, {}).start();
    node.pooled = Array.from({ length: 40 }, () => transaction(rules, 'alice'));
    const built = await Promise.all(Array.from({ length: 5 }, () => node.chain.build({ height: 1, round: 1 })));
    expect(new Set(built.map(({ digest }) => Buffer.from(digest).toString('hex'))).size).to.equal(1);
    expect(built[0]?.block.transactions).to.have.length(20);
    expect((await node.chain.build({ height: 1 })).block.transactions).to.have.length(40);
  });
});
