/// <reference types="mocha" />
import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  BlockRangeAnswer,
  BlockRangeRequest,
  Certificate,
  Chain,
  PEER_KINDS,
  certificateChecks,
  failure,
  headerDigest,
  toHex,
  transactionLeaf,
  utf8,
  verifyMerklePath,
  verifySignature,
  networkOf,
} from '@it-chain/contracts';
import { settle } from '../doubles/manual-clock.js';
import { type ChainBench, benchTransaction, certifyBlock } from './chain-bench.js';
import { type Benches, type Made, SOLO, idOf, heightOf, take } from './chain-blocks.js';
import { codeOf } from './promise.js';

/** What commit answers, and what is told. */
export function testCommits(benches: Benches): void {
  const { open } = benches;
  it('tells each block once and in order, answers a commit that is asked again with the tip, and leaves no gap', async () => {
    const node = await open();
    const made: Made[] = [];
    for (const text of ['a=1', 'a=2', 'a=3']) made.push(await node.advance(benchTransaction(SOLO, 'bob', { text })));
    const tip = await node.tip();
    const before = await node.contents();
    for (const one of [...made, ...made]) expect(await take(node, one)).to.deep.equal(tip);
    const other = new Uint8Array(32).fill(7);
    const { certificate } = made[1]!;
    expect(await codeOf(node.commit(2, other, { ...certificate, digest: other }))).to.equal('ERR_SAFETY_VIOLATION');
    expect(await codeOf(node.commit(9, other, { ...certificate, height: 9, digest: other }))).to.equal('ERR_CHAIN_GAP');
    expect(await codeOf(node.commit(4, other, { ...certificate, height: 4, digest: other }))).to.equal(
      'ERR_BLOCK_NOT_FOUND',
    );
    expect(await codeOf(node.chain.build({ height: 9 }))).to.equal('ERR_CHAIN_GAP');
    await settle();
    expect(await node.contents()).to.deep.equal(before);
    const told = node.context.told(Chain.events.committed);
    expect(told.map(({ height, tip: at, digest }) => [height, at, toHex(digest)])).to.deep.equal(
      made.map(({ digest }, index) => [index + 1, index + 1, toHex(digest)]),
    );
    expect(told.map(({ transactions }) => transactions.map(toHex))).to.deep.equal(
      made.map(({ block }) => block.transactions.map((one) => toHex(idOf(one)))),
    );
  });

  it('a commit whose answer was lost is committed, and a body that was checked before a restart is still there', async () => {
    const node = await open();
    node.pooled = [benchTransaction(SOLO, 'bob')];
    const { digest } = await node.chain.build({ height: 1 });
    const again = await benches.restart(node);
    const certificate = certifyBlock(await again.tip(), digest);
    again.storage.dieAfter(0, true);
    await codeOf(again.commit(1, digest, certificate));
    expect(again.storage.dead).to.equal(true);
    again.storage.revive();
    const last = await benches.restart(again);
    expect((await last.tip()).height).to.equal(1);
    expect((await last.commit(1, digest, certificate)).height).to.equal(1);
    await last.advance();
    expect((await last.tip()).height).to.equal(2);
  });

  it('knows no network before founding, and enters it when it is told', async () => {
    const node = benches.make();
    node.founded = false;
    await node.start();
    expect(await codeOf(node.tip())).to.equal('ERR_NETWORK_UNFOUNDED');
    expect(await codeOf(node.chain.build({ height: 1 }))).to.equal('ERR_NETWORK_UNFOUNDED');
    await node.found();
    await node.clock.advance(10_000);
    const tip = await node.tip();
    expect([tip.height, toHex(tip.digest), toHex(tip.network)]).to.deep.equal([
      0,
      toHex(tip.network),
      toHex(networkOf(SOLO)),
    ]);
  });
}

/** What is asked of a chain that has some blocks. */
export function testQuestions(benches: Benches): void {
  it('gives blocks, ranges, places and proofs of what is committed and of nothing else, also after a restart', async () => {
    const first = await benches.open();
    const sent: Uint8Array[] = [];
    for (let height = 1; height <= 4; height += 1) {
      const transactions = ['a', 'no pair', 'c'].map((key) =>
        benchTransaction(SOLO, 'x', { text: key.includes(' ') ? key : `${key}=${height}` }),
      );
      sent.push(...transactions);
      await first.advance(...transactions);
    }
    // Built, and not committed.
    first.pooled = [benchTransaction(SOLO, 'x')];
    const open = await first.chain.build({ height: 5 });
    const undecided = first.pooled[0]!;
    for (const node of [first, await benches.restart(first)]) {
      const { chain } = node;
      const tip = await node.tip();
      for (let height = 1; height <= 4; height += 1) {
        const { block, digest } = await chain.get({ height });
        expect(block && heightOf(block)).to.equal(height);
        expect(Certificate.decode(block!.certificate).height).to.equal(height);
        expect((await chain.get({ height: 0, digest })).block).to.deep.equal(block);
      }
      expect(toHex((await chain.get({ height: 4 })).digest)).to.equal(toHex(tip.digest));
      for (const request of [{ height: 0 }, { height: 5 }, { height: 0, digest: open.digest }]) {
        expect((await chain.get(request)).block, JSON.stringify(request)).to.equal(undefined);
      }
      const range = async (from: number, maxCount: number, maxBytes = 0): Promise<number[]> =>
        (await chain.range({ from, maxCount, maxBytes })).blocks.map(heightOf);
      expect(await range(1, 0)).to.deep.equal([1, 2, 3, 4]);
      expect(await range(2, 2)).to.deep.equal([2, 3]);
      expect(await range(1, 0, 1), 'at least one').to.deep.equal([1]);
      expect(await range(5, 0)).to.deep.equal([]);
      const two = (await chain.range({ from: 1, maxCount: 2, maxBytes: 0 })).blocks;
      const bytes = BlockRangeAnswer.encode({ blocks: two }).length;
      expect((await range(1, 0, bytes + 100)).length, 'within the bytes').to.be.within(1, 2);
      await placesAndProofs(node, sent, undecided);
    }
  });
}

async function placesAndProofs(
  { chain, genesis }: ChainBench,
  sent: Uint8Array[],
  undecided: Uint8Array,
): Promise<void> {
  const { transactions } = await chain.locate({ ids: [...sent, undecided].map(idOf) });
  expect(transactions.map(({ location }) => location && [location.height, location.index])).to.deep.equal([
    ...sent.map((_, at) => [Math.floor(at / 3) + 1, at % 3]),
    undefined,
  ]);
  const codes = transactions.map(({ receipt }) => receipt?.code);
  expect(codes).to.deep.equal([...sent.map((_, at) => (at % 3 === 1 ? 1 : 0)), undefined]);
  for (const [at, encoded] of sent.entries()) {
    const proof = await chain.prove({ id: idOf(encoded) });
    const header = BlockHeader.decode(proof.header);
    const leaf = transactionLeaf(idOf(proof.transaction), proof.transaction);
    expect([toHex(proof.transaction), proof.index, header.height]).to.deep.equal([
      toHex(encoded),
      at % 3,
      Math.floor(at / 3) + 1,
    ]);
    expect(
      verifyMerklePath(leaf, proof.index, header.transactionCount, proof.path, header.transactionRoot),
      'the path leads to the header',
    ).to.equal(true);
    const digest = headerDigest(proof.header, networkOf(genesis));
    const checks = certificateChecks(proof.certificate, networkOf(genesis), proof.validators, digest);
    expect(checks.length).to.be.at.least(1);
    for (const { publicKey, message, signature } of checks) {
      expect(verifySignature(publicKey, message, signature), 'the seals are of the validators').to.equal(true);
    }
  }
  for (const id of [idOf(undecided), new Uint8Array(32)]) {
    expect(await codeOf(chain.prove({ id }))).to.equal('ERR_BLOCK_NOT_FOUND');
  }
}

/** What peers ask and answer. */
export function testPeers({ open }: Benches): void {
  const grown = async (height: number): Promise<ChainBench> => {
    const node = await open();
    for (let at = 1; at <= height; at += 1) await node.advance(benchTransaction(SOLO, 'x', { text: `k=${at}` }));
    return node;
  };
  const request = BlockRangeRequest.encode({ from: 2, maxCount: 0, maxBytes: 0 });

  it('answers peers that ask for blocks, and garbage with a code', async () => {
    const node = await grown(3);
    const answer = await node.ask('bob', PEER_KINDS.blocks, request);
    expect(answer?.errorCode).to.equal('');
    expect(BlockRangeAnswer.decode(answer!.body).blocks.map(heightOf)).to.deep.equal([2, 3]);
    for (const [index, body] of [utf8('garbage'), new Uint8Array([255]), new Uint8Array(100).fill(0x80)].entries()) {
      const refused = await node.ask(`eve${index}`, PEER_KINDS.blocks, body);
      expect(refused?.errorCode, `garbage ${index}`).to.match(/^ERR_(?!INTERNAL)/);
    }
    expect(await node.ask('bob', 'of another plugin', request), 'a kind of another plugin').to.equal(undefined);
  });

  it('fetches blocks from peers without a gap, past those that are silent or lie', async () => {
    const source = await grown(40);
    const late = await open('late');
    late.peer = async ({ peer, kind, body }) => {
      if (peer === 'silent') throw failure('ERR_PEER_TIMEOUT', 'nobody answers');
      if (peer === 'liar') return utf8('garbage');
      if (peer === 'jumper') {
        const { blocks } = await source.chain.range({ from: 3, maxCount: 9, maxBytes: 0 });
        return BlockRangeAnswer.encode({ blocks });
      }
      const answer = await source.ask(peer, kind, body);
      return answer?.errorCode === '' ? answer.body : Promise.reject(failure('ERR_PEER_BUSY', 'refused'));
    };
    const peers = ['silent', 'liar', 'jumper', 'good', 'also good'];
    for (let turn = 0; turn < 60 && (await late.tip()).height < 40; turn += 1) {
      const from = (await late.tip()).height + 1;
      const { blocks, sources } = await late.chain.fetch({ from, to: 40, peers });
      expect(sources).to.have.length(blocks.length);
      expect(blocks.map(heightOf), 'no gap').to.deep.equal(blocks.map((_, at) => from + at));
      for (const [at, one] of blocks.entries()) {
        const block = Block.decode(one.block);
        const certificate = Certificate.decode(one.certificate);
        await late.commit(from + at, late.digestOf(block), certificate, block);
      }
      for (const node of [source, late]) await node.clock.advance(1_000);
    }
    expect(await late.tip()).to.deep.equal(await source.tip());
    for (const none of [[], ['silent'], ['liar']]) {
      expect(await late.chain.fetch({ from: 41, to: 50, peers: none })).to.deep.equal({ blocks: [], sources: [] });
    }
  });
}
