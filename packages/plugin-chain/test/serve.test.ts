import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  BlockRangeAnswer,
  BlockRangeRequest,
  Certificate,
  Transport,
  hasCode,
  headerDigest,
  networkOf,
  toHex,
  transactionLeaf,
  utf8,
  verifyMerklePath,
} from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import { ChainFixture, digestOf, genesisOf, idOf, transaction } from './fixture.js';

const genesis = genesisOf(['alice']);

async function grown(height: number, config: object = {}): Promise<ChainFixture> {
  const node = await new ChainFixture('alice', genesis, undefined, config).start();
  for (let at = 1; at <= height; at += 1) {
    await node.advance(transaction(genesis, 'x', { text: `k=${at}` }), transaction(genesis, 'y', { text: 'nothing' }));
  }
  return node;
}

async function ask(
  node: ChainFixture,
  from: string,
  body: Uint8Array,
): Promise<{ body: Uint8Array; errorCode: string }> {
  const requestId = `${from}-${node.answered.length}`;
  await node.context.tell(Transport.events.asked, {
    from,
    publicKey: new Uint8Array(32),
    requestId,
    kind: 'blocks',
    body,
  });
  await settle();
  return node.answered.find((one) => one.requestId === requestId)!;
}

const heights = (blocks: readonly { readonly block: Uint8Array }[]): number[] =>
  blocks.map(({ block }) => BlockHeader.decode(Block.decode(block).header).height);

describe('questions to the chain', () => {
  it('gives blocks by height and by digest, and nothing for what is not there', async () => {
    const node = await grown(3);
    const third = await node.chain.get({ height: 3 });
    expect(heights([third.block!])).to.deep.equal([3]);
    expect((await node.chain.get({ height: 0, digest: third.digest })).block).to.deep.equal(third.block);
    expect((await node.chain.get({ height: 4 })).block).to.equal(undefined);
    expect((await node.chain.get({ height: 0 })).block).to.equal(undefined);
    expect((await node.chain.get({ height: 1, digest: new Uint8Array(32) })).block).to.equal(undefined);
    expect(Certificate.decode(third.block!.certificate).height).to.equal(3);
  });

  it('gives ranges within the limits of count and bytes, at least one block', async () => {
    const node = await grown(6, { rangeBlocks: 4 });
    const range = async (from: number, maxCount: number, maxBytes: number): Promise<number[]> =>
      heights((await node.chain.range({ from, maxCount, maxBytes })).blocks);
    expect(await range(1, 0, 0)).to.deep.equal([1, 2, 3, 4]);
    expect(await range(5, 0, 0)).to.deep.equal([5, 6]);
    expect(await range(2, 2, 0)).to.deep.equal([2, 3]);
    expect(await range(1, 0, 1)).to.deep.equal([1]);
    expect(await range(7, 0, 0)).to.deep.equal([]);
    expect(await range(0, 1, 0)).to.deep.equal([1]);
    const { blocks } = await node.chain.range({ from: 1, maxCount: 0, maxBytes: 2_500 });
    expect(blocks.length).to.be.lessThan(4);
    expect(BlockRangeAnswer.encode({ blocks }).length).to.be.at.most(2_500);
  });

  it('locates transactions with their receipts, also after a restart', async () => {
    const node = await new ChainFixture('alice', genesis).start();
    const sent = [transaction(genesis, 'x', { text: 'a=1' }), transaction(genesis, 'x', { text: 'nothing' })];
    await node.advance(...sent);
    for (const one of [node, await node.restart()]) {
      const { transactions } = await one.chain.locate({ ids: [...sent.map(idOf), new Uint8Array(32)] });
      expect(
        transactions.map(({ location, receipt }) => [location?.height, location?.index, receipt?.code]),
      ).to.deep.equal([
        [1, 0, 0],
        [1, 1, 1],
        [undefined, undefined, undefined],
      ]);
    }
  });

  it('proves a committed transaction so that anybody can check it', async () => {
    const node = await new ChainFixture('alice', genesis).start();
    const sent = [1, 2, 3, 4, 5].map((at) => transaction(genesis, 'x', { text: `a=${at}` }));
    await node.advance(...sent);
    for (const [index, encoded] of sent.entries()) {
      const proof = await node.chain.prove({ id: idOf(encoded) });
      const header = BlockHeader.decode(proof.header);
      const leaf = transactionLeaf(idOf(proof.transaction), proof.transaction);
      expect([toHex(proof.transaction), proof.index]).to.deep.equal([toHex(encoded), index]);
      expect(verifyMerklePath(leaf, index, header.transactionCount, proof.path, header.transactionRoot)).to.equal(true);
      expect(toHex(proof.certificate.digest)).to.equal(toHex(headerDigest(proof.header, networkOf(genesis))));
    }
    const unknown = await node.chain.prove({ id: new Uint8Array(32) }).catch((error: unknown) => error);
    expect(hasCode(unknown, 'ERR_BLOCK_NOT_FOUND')).to.equal(true);
  });
});

describe('sync', () => {
  it('answers requests of peers, garbage with a code, and a flood with ERR_PEER_BUSY', async () => {
    const node = await grown(3, { peerRequestsPerSecond: 2 });
    const request = BlockRangeRequest.encode({ from: 2, maxCount: 0, maxBytes: 0 });
    const answer = await ask(node, 'bob', request);
    expect(heights(BlockRangeAnswer.decode(answer.body).blocks)).to.deep.equal([2, 3]);
    expect((await ask(node, 'eve', utf8('garbage'))).errorCode).to.equal('ERR_DATA_MALFORMED');
    const codes: string[] = [];
    for (let more = 0; more < 3; more += 1) codes.push((await ask(node, 'carol', request)).errorCode);
    expect(codes).to.deep.equal(['', '', 'ERR_PEER_BUSY']);
    expect((await ask(node, 'bob', request)).errorCode).to.equal('');
    await node.clock.advance(1_000);
    expect((await ask(node, 'carol', request)).errorCode).to.equal('');
  });

  it('fetches different ranges from several peers, without a gap, and says who sent each', async () => {
    const source = await grown(100);
    const late = await new ChainFixture('late', genesis).start();
    const asked: string[] = [];
    late.peer = async ({ peer, body }) => {
      const request = BlockRangeRequest.decode(body);
      asked.push(`${peer} ${request.from} ${request.maxCount}`);
      return BlockRangeAnswer.encode(await source.chain.range(request));
    };
    const { blocks, sources } = await late.chain.fetch({ from: 1, to: 100, peers: ['a', 'b', 'c'] });
    expect(asked).to.deep.equal(['a 1 32', 'b 33 32', 'c 65 32']);
    expect(heights(blocks)).to.deep.equal(Array.from({ length: 96 }, (_, at) => at + 1));
    expect([sources[0], sources[32], sources[64]]).to.deep.equal(['a', 'b', 'c']);
    for (const [at, { block, certificate }] of blocks.entries()) {
      const read = Block.decode(block);
      await late.commit(at + 1, digestOf(read, genesis), Certificate.decode(certificate), read);
    }
    const rest = await late.chain.fetch({ from: 97, to: 100, peers: ['a', 'b', 'c'] });
    expect(heights(rest.blocks)).to.deep.equal([97, 98, 99, 100]);
  });

  it('asks another peer where the first has nothing, and leaves out what follows a gap', async () => {
    const source = await grown(40);
    const late = await new ChainFixture('late', genesis).start();
    late.peer = async ({ peer, body }) => {
      if (peer === 'silent') throw new Error('timeout');
      if (peer === 'liar') return utf8('garbage');
      const request = BlockRangeRequest.decode(body);
      const { blocks } = await source.chain.range({ ...request, maxCount: Math.min(request.maxCount, 5) });
      return BlockRangeAnswer.encode({ blocks });
    };
    const { blocks, sources } = await late.chain.fetch({ from: 1, to: 40, peers: ['silent', 'liar', 'good'] });
    expect(heights(blocks)).to.deep.equal([1, 2, 3, 4, 5]);
    expect(new Set(sources)).to.deep.equal(new Set(['good']));
    const none = await late.chain.fetch({ from: 1, to: 40, peers: ['silent', 'liar'] });
    expect(none).to.deep.equal({ blocks: [], sources: [] });
    expect(await late.chain.fetch({ from: 1, to: 40, peers: [] })).to.deep.equal({ blocks: [], sources: [] });
  });

  it('passes over a peer that owes an answer or gave none, as long as there is another one', async () => {
    const source = await grown(10);
    const late = await new ChainFixture('late', genesis).start();
    const asked: string[] = [];
    late.peer = async ({ peer, body }) => {
      asked.push(peer);
      if (peer === 'never') return new Promise(() => undefined);
      if (peer === 'empty') return BlockRangeAnswer.encode({ blocks: [] });
      const { blocks } = await source.chain.range(BlockRangeRequest.decode(body));
      return BlockRangeAnswer.encode({ blocks });
    };
    void late.chain.fetch({ from: 1, to: 10, peers: ['never'] }).catch(() => undefined);
    await late.chain.fetch({ from: 1, to: 10, peers: ['empty'] });
    asked.length = 0;
    for (let turn = 0; turn < 6; turn += 1) {
      const { blocks } = await late.chain.fetch({ from: 1, to: 10, peers: ['never', 'empty', 'good'] });
      expect(blocks).to.have.length(10);
    }
    expect(new Set(asked)).to.deep.equal(new Set(['good']));
  });

  it('leaves out blocks of other heights than were asked for', async () => {
    const source = await grown(10);
    const late = await new ChainFixture('late', genesis).start();
    late.peer = async () => {
      const { blocks } = await source.chain.range({ from: 1, maxCount: 10, maxBytes: 0 });
      return BlockRangeAnswer.encode({ blocks: [blocks[0]!, blocks[1]!, blocks[5]!] });
    };
    expect(heights((await late.chain.fetch({ from: 1, to: 10, peers: ['a'] })).blocks)).to.deep.equal([1, 2]);
  });
});
