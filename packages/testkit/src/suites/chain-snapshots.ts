import { expect } from 'chai';
import { SnapshotAnswer, failure, toHex, utf8 } from '@it-chain/contracts';
import { type ChainBench, benchTransaction } from './chain-bench.js';
import { type Benches, SOLO, heightOf, madeBlocks, take } from './chain-blocks.js';
import { codeOf } from './promise.js';

/** Promise C8: `source` makes snapshots; others begin with one of them, given honestly and by a liar. */
export async function testSnapshots(benches: Benches, source: ChainBench): Promise<void> {
  for (let height = 1; height <= 10; height += 1) {
    await source.advance(benchTransaction(SOLO, 'bob', { text: `k${height % 5}=${height}`, expiresAt: height + 5 }));
  }
  const joining = async (name: string, lie: (page: string) => string): Promise<ChainBench> => {
    const late = await benches.open(name);
    late.peer = async ({ kind, body }) => {
      const answer = await source.ask(name, kind, body);
      if (answer?.errorCode !== '') throw failure('ERR_PEER_BUSY', `${name} is not answered`);
      const read = SnapshotAnswer.decode(answer.body);
      const page = read.page && utf8(lie(Buffer.from(read.page).toString()));
      return SnapshotAnswer.encode({ ...read, page });
    };
    return late;
  };

  const misled = await joining('dave', (page) => page.replaceAll('1', '2'));
  const before = await misled.contents();
  const wrong = await found(misled);
  expect(await codeOf(restore(misled, wrong)), 'pages of another state').to.match(/^ERR_(?!INTERNAL)/);
  expect(await misled.contents(), 'after a liar').to.deep.equal(before);
  expect((await misled.tip()).height, 'after a liar').to.equal(0);

  const late = await joining('carol', (page) => page);
  const offer = await found(late);
  const tip = await restore(late, offer);
  expect([tip.height, await late.tip()]).to.deep.equal([offer.snapshot.height, tip]);
  // From there on by blocks, to where everybody is.
  const { blocks } = await source.chain.range({ from: tip.height + 1, maxCount: 0, maxBytes: 0 });
  expect(blocks.map(heightOf)[0], 'blocks above the snapshot').to.equal(tip.height + 1);
  for (const made of (await madeBlocks(source)).slice(tip.height)) await take(late, made);
  expect(await late.tip()).to.deep.equal(await source.tip());
  expect(toHex((await late.tip()).applicationRoot)).to.equal(toHex(await late.application.root()));
  expect(await (await benches.restart(late)).tip(), 'after a restart').to.deep.equal(await source.tip());
}

type Offer = Parameters<NonNullable<ChainBench['chain']['restore']>>[0];

async function found({ chain }: ChainBench): Promise<Offer> {
  const { snapshot, peer } = (await chain.findSnapshot?.({ peers: ['alice'] })) ?? {};
  if (snapshot === undefined || peer === undefined) throw new Error('no snapshot is offered');
  return { snapshot, peer };
}

function restore({ chain }: ChainBench, offer: Offer): ReturnType<NonNullable<ChainBench['chain']['restore']>> {
  if (chain.restore === undefined) throw new Error('it offers snapshots and cannot begin with one');
  return chain.restore(offer);
}
