import { expect } from 'chai';
import fc from 'fast-check';
import { Block, type Certificate, toHex } from '@it-chain/contracts';
import { CrashingStorage, settle, type ChainBench } from '@it-chain/testkit';
import { ChainFixture, digestOf, genesisOf, idOf, join, promote, transaction } from './fixture.js';

const genesis = genesisOf(['alice'], { growth: 'immediate', window: 4 });

/** A chain of some length with all kinds of transactions, made once. */
async function reference(): Promise<{ blocks: { block: Block; certificate: Certificate }[]; roots: string[] }> {
  const node = await new ChainFixture('alice', genesis).start();
  const blocks: { block: Block; certificate: Certificate }[] = [];
  const roots: string[] = [];
  const plan = [
    [
      transaction(genesis, 'x', { text: 'a=1', expiresAt: 4 }),
      transaction(genesis, 'alice', { membership: join(genesis, 'bob'), expiresAt: 4 }),
    ],
    [transaction(genesis, 'alice', { membership: promote('bob'), expiresAt: 5 })],
    [],
    [
      transaction(genesis, 'x', { text: 'b=2', expiresAt: 5 }),
      transaction(genesis, 'x', { text: 'broken', expiresAt: 5 }),
    ],
    [],
    [transaction(genesis, 'x', { text: 'a=3', expiresAt: 8 })],
    [],
  ];
  for (const transactions of plan) {
    const { block, certificate } = await node.advance(...transactions);
    expect(block.transactions).to.have.length(transactions.length);
    blocks.push({ block, certificate });
    roots.push(toHex((await node.tip()).stateRoot));
  }
  return { blocks, roots };
}

describe('after a crash', () => {
  it('C5: after any crash the tip, the blocks and the application agree', async () => {
    const { blocks, roots } = await reference();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 6, size: 'max' }),
        fc.boolean(),
        async (crashes, checked) => {
          const storage = new CrashingStorage();
          let node: ChainBench = await new ChainFixture('alice', genesis, storage).start();
          let deaths = 0;
          for (let steps = 0; (await node.tip()).height < blocks.length; steps += 1) {
            const crash = crashes[deaths];
            storage.dieAfter(crash?.[0] ?? Infinity, crash?.[1] ?? false);
            try {
              for (let height = (await node.tip()).height + 1; height <= blocks.length; height += 1) {
                const { block, certificate } = blocks[height - 1]!;
                if (checked) expect(await node.reason(block)).to.equal('');
                await node.commit(height, digestOf(block, genesis), certificate, checked ? undefined : block);
              }
            } catch (error) {
              if (!storage.dead) throw error;
            }
            if (!storage.dead) break;
            deaths += 1;
            storage.revive();
            node = await node.restart();
            await consistent(node, blocks, roots);
          }
          await consistent(node, blocks, roots);
          expect((await node.tip()).height).to.equal(blocks.length);
          await settle(1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('commits a block that was checked before the restart from the body in the store', async () => {
    const node = await new ChainFixture('alice', genesis).start();
    node.pooled = [transaction(genesis, 'x', { text: 'a=1' })];
    const { digest } = await node.chain.build({ height: 1 });
    const { certificate } = await new ChainFixture('alice', genesis, node.storage).start().then(async (again) => {
      const tip = await again.tip();
      const { certify } = await import('./fixture.js');
      const made = certify(tip, digest);
      await again.commit(1, digest, made);
      return { certificate: made };
    });
    const last = await node.restart();
    expect((await last.tip()).height).to.equal(1);
    expect(toHex(certificate.digest)).to.equal(toHex((await last.tip()).digest));
  });

  it('removes bodies that were proposed and not decided, also those from before the restart', async () => {
    const node = await new ChainFixture('alice', genesis).start();
    const bodies = async (): Promise<number> => {
      const { entries } = await node.storage.range({
        namespace: 'chain',
        from: Buffer.from('b/'),
        to: Buffer.from('b0'),
        limit: 0,
        maxBytes: 0,
        reverse: false,
      });
      return entries.length;
    };
    await node.chain.build({ height: 1 });
    await node.clock.advance(5);
    const again = await node.restart();
    await again.chain.build({ height: 1 });
    expect(await bodies()).to.equal(2);
    await again.clock.advance(5);
    await again.advance();
    expect(await bodies()).to.equal(1);
  });
});

async function consistent(
  node: ChainBench,
  blocks: readonly { readonly block: Block }[],
  roots: readonly string[],
): Promise<void> {
  const tip = await node.tip();
  expect(toHex(tip.applicationRoot)).to.equal(toHex(await node.application.root()));
  if (tip.height > 0) expect(toHex(tip.stateRoot)).to.equal(roots[tip.height - 1]);
  const stored = tip.height === 0 ? [] : (await node.chain.range({ from: 1, maxCount: 0, maxBytes: 0 })).blocks;
  expect(stored).to.have.length(tip.height);
  for (const [at, { block }] of stored.entries()) {
    expect(toHex(block)).to.equal(toHex(Block.encode(blocks[at]!.block)));
    const ids = Block.decode(block).transactions.map(idOf);
    const found = await node.chain.locate({ ids });
    const inWindow = at + 1 > tip.height - genesis.window;
    for (const [index, { location, receipt }] of found.transactions.entries()) {
      expect(location).to.deep.equal(inWindow ? { height: at + 1, index } : undefined);
      expect(receipt === undefined).to.equal(!inWindow);
    }
  }
}
