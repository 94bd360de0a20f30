import { expect } from 'chai';
import fc from 'fast-check';
import { toHex } from '@it-chain/contracts';
import { type ChainBench, benchJoin, benchKeys, benchTransaction, chainGenesis } from './chain-bench.js';
import { type Benches, type Made, idOf, madeBlocks } from './chain-blocks.js';

/** Kills the process at writes that fast-check chooses, and compares everything after each restart. */
export async function testCrashes(benches: Benches, runs: number): Promise<void> {
  const genesis = chainGenesis(['alice'], { growth: 'immediate', window: 100 });
  const maker = await benches.open('alice', genesis);
  const membership = { promote: { publicKeys: [benchKeys('bob').publicKey] } };
  const plan = [
    [
      benchTransaction(genesis, 'x', { text: 'a=1' }),
      benchTransaction(genesis, 'alice', { membership: benchJoin(genesis, 'bob') }),
    ],
    [benchTransaction(genesis, 'alice', { membership })],
    [],
    [benchTransaction(genesis, 'x', { text: 'b=2' }), benchTransaction(genesis, 'x', { text: 'no pair' })],
    [],
    [benchTransaction(genesis, 'x', { text: 'a=3' })],
  ];
  const roots: string[] = [];
  for (const transactions of plan) {
    await maker.advance(...transactions);
    roots.push(toHex((await maker.tip()).stateRoot));
  }
  const made = await madeBlocks(maker);
  const crash = fc.record({ writes: fc.nat(9), done: fc.boolean(), power: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(crash, { maxLength: 6, size: 'max' }), fc.boolean(), async (crashes, checked) => {
      let node = await benches.open('alice', genesis);
      for (let deaths = 0; (await node.tip()).height < made.length; deaths += 1) {
        const { writes, done, power } = crashes[deaths] ?? { writes: Infinity, done: false, power: false };
        node.storage.dieAfter(writes, done);
        try {
          for (let height = (await node.tip()).height + 1; height <= made.length; height += 1) {
            const { block, digest, certificate } = made[height - 1]!;
            if (checked) expect(await node.reason(block)).to.equal('');
            await node.commit(height, digest, certificate, checked ? undefined : block);
          }
        } catch (error) {
          if (!node.storage.dead) throw error;
        }
        if (!node.storage.dead) break;
        node.storage.revive();
        node = await (power ? benches.crash(node) : benches.restart(node));
        await consistent(node, made, roots);
      }
      await consistent(node, made, roots);
      expect((await node.tip()).height).to.equal(made.length);
      await node.stop();
    }),
    { numRuns: runs },
  );
}

/** Tip, blocks, places and application say the same. */
async function consistent(node: ChainBench, made: readonly Made[], roots: readonly string[]): Promise<void> {
  const tip = await node.tip();
  expect(toHex(tip.applicationRoot), 'the application is at the tip').to.equal(toHex(await node.application.root()));
  if (tip.height > 0) expect(toHex(tip.stateRoot)).to.equal(roots[tip.height - 1]);
  const stored = tip.height === 0 ? [] : await madeBlocks(node);
  expect(stored.length, 'blocks up to the tip').to.equal(tip.height);
  for (const [at, { block, digest }] of stored.entries()) {
    expect(toHex(digest)).to.equal(toHex(made[at]!.digest));
    const { transactions } = await node.chain.locate({ ids: block.transactions.map(idOf) });
    expect(transactions.map(({ location }) => location)).to.deep.equal(
      block.transactions.map((_, index) => ({ height: at + 1, index })),
    );
  }
  // Nothing of the block after the tip is anywhere.
  const next = made[tip.height]?.block.transactions.map(idOf) ?? [];
  const { transactions } = await node.chain.locate({ ids: next });
  expect(transactions.every(({ location }) => location === undefined)).to.equal(true);
}
