import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  headerDigest,
  networkOf,
  readSnapshot,
  sameBytes,
  verifiedSnapshot,
  verifyNextBlock,
  type Genesis,
} from '@it-chain/contracts';
import { CrashingStorage, type ChainBench } from '@it-chain/testkit';
import { ChainConfig } from '@it-chain/plugin-chain';
import { ChainFixture, contents, genesisOf, idOf, join, promote, transaction } from './fixture.js';

const CONFIG = { snapshots: { everyBlocks: 10 }, prune: { keepBlocks: 15 } };

async function grown(genesis: Genesis, height: number, storage = new CrashingStorage()): Promise<ChainFixture> {
  const node = await new ChainFixture('alice', genesis, storage, CONFIG).start();
  await grow(node, height);
  return node;
}

async function grow(node: ChainBench, height: number): Promise<void> {
  for (let at = (await node.tip()).height + 1; at <= height; at += 1) {
    await node.advance(transaction(node.genesis, 'alice', { text: `key${at % 8}=${at}`, expiresAt: at + 5 }));
  }
}

const keysOf = async (storage: CrashingStorage, prefix: string): Promise<string[]> =>
  (await contents(storage)).filter((line) => line.startsWith(`chain ${Buffer.from(prefix).toString('hex')}`));

describe('pruning', () => {
  const genesis = genesisOf(['alice'], { window: 20 });

  it('removes blocks that a snapshot stands for, and keeps as many as the config says', async () => {
    const node = await grown(genesis, 60);
    const { snapshot } = await node.chain.base!({});
    expect(snapshot?.height).to.equal(40);
    for (const prefix of ['h/', 'b/', 'd/', 'r/'])
      expect(await keysOf(node.storage, prefix), prefix).to.have.length(20);
    const { blocks } = await node.chain.range({ from: 41, maxCount: 100, maxBytes: 0 });
    expect(blocks).to.have.length(20);
    expect((await node.chain.get({ height: 40 })).block).to.equal(undefined);
    const gone = await node.chain
      .range({ from: 40, maxCount: 1, maxBytes: 0 })
      .catch((error: unknown) => (error as { code?: string }).code);
    expect(gone).to.equal('ERR_BLOCK_NOT_FOUND');
  });

  it('keeps the number of stored entries bounded however long the chain gets', async () => {
    const node = await grown(genesis, 100);
    const before = (await contents(node.storage)).length;
    await grow(node, 300);
    expect((await contents(node.storage)).length).to.be.lessThan(before + 20);
  });

  it('leaves a chain that is proven from its snapshot on', async () => {
    const growing = genesisOf(['alice'], { growth: 'immediate', window: 20 });
    const node = await new ChainFixture('alice', growing, new CrashingStorage(), CONFIG).start();
    await node.advance(transaction(growing, 'alice', { membership: join(growing, 'bob'), expiresAt: 20 }));
    await node.advance(transaction(growing, 'alice', { membership: promote('bob'), expiresAt: 20 }));
    await grow(node, 57);
    const snapshot = (await node.chain.base!({})).snapshot!;
    expect(readSnapshot(growing, snapshot).validators.validators).to.have.length(2);
    let at = verifiedSnapshot(growing, snapshot);
    for (const block of (await node.chain.range({ from: at.height + 1, maxCount: 100, maxBytes: 0 })).blocks) {
      at = verifyNextBlock(at, block);
    }
    expect(at.height).to.equal(57);
    expect(sameBytes(at.digest, (await node.tip()).digest)).to.equal(true);
  });

  it('lets nothing of the window run twice, and forgets what has expired', async () => {
    const node = await grown(genesis, 38);
    const once = transaction(genesis, 'alice', { text: 'once=1', expiresAt: 58 });
    await node.advance(once);
    await grow(node, 56);
    // Block 39 is below the base, and its transaction would still be in time.
    expect((await node.chain.base!({})).snapshot?.height).to.equal(40);
    expect((await node.chain.locate({ ids: [idOf(once)] })).transactions[0]?.location?.height).to.equal(39);
    node.pooled = [once];
    expect((await node.chain.build({ height: 57 })).block.transactions).to.have.length(0);
    await grow(node, 80);
    expect((await node.chain.locate({ ids: [idOf(once)] })).transactions[0]?.location).to.equal(undefined);
    expect(await keysOf(node.storage, 't/')).to.have.length(20);
  });

  it('goes on where it was after a restart, and is off without the word of the config', async () => {
    const node = await grown(genesis, 57);
    const again = await node.restart();
    await grow(again, 80);
    expect((await again.chain.base!({})).snapshot?.height).to.equal(60);
    expect(await keysOf(again.storage, 'h/')).to.have.length(20);
    const whole = await new ChainFixture('alice', genesis, new CrashingStorage(), {
      snapshots: { everyBlocks: 10 },
    }).start();
    await grow(whole, 57);
    const first = (await whole.chain.range({ from: 1, maxCount: 1, maxBytes: 0 })).blocks[0]!;
    const header = BlockHeader.decode(Block.decode(first.block).header);
    expect(header.height).to.equal(1);
    expect(headerDigest(Block.decode(first.block).header, networkOf(genesis))).to.have.length(32);
  });

  it('is refused where no snapshot would stand for what goes', () => {
    expect(() => ChainConfig.parse({ prune: { keepBlocks: 100 } })).to.throw(/snapshots\.everyBlocks/);
    expect(ChainConfig.parse(undefined).prune.keepBlocks).to.equal(0);
  });
});
