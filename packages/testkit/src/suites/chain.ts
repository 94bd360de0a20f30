/// <reference types="mocha" />
import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  Chain,
  chainKeys,
  heightKey,
  sameBytes,
  toHex,
  utf8,
  type Genesis,
  type Plugin,
  type WriteRequest,
} from '@it-chain/contracts';
import { settle } from '../doubles/manual-clock.js';
import {
  ChainBench,
  benchJoin,
  benchKeys,
  benchTransaction,
  certifyBlock,
  chainGenesis,
  withHeader,
} from './chain-bench.js';
import { type Benches, SOLO, idOf, bodied, brokenBlocks, madeBlocks, take } from './chain-blocks.js';
import { testCommits, testPeers, testQuestions } from './chain-cases.js';
import { testCrashes } from './chain-crashes.js';
import { testSnapshots } from './chain-snapshots.js';
import { codeOf, promiseOf } from './promise.js';

/** What the suite is told about a chain. */
export interface ChainUnderTest {
  /** The plugin's section. */
  readonly config?: unknown;
  /** The section with which it offers a snapshot every third block or so, to peers that ask often; without it C8 is left out. */
  readonly snapshots?: unknown;
  /** Random schedules of crashes that C5 runs. Default 40. */
  readonly schedules?: number;
}

/**
 * The compliance suite of the chain role. Call it inside `describe`; the titles are the role's promises. The plugin runs
 * on doubles of the roles around it: an application of `key=value` pairs, a pool that offers what the suite wants, peers
 * that are other chains or liars, and a store that can be killed at any write.
 */
export function testChain(plugin: Plugin, options: ChainUnderTest = {}): void {
  const promise = (number: string): string => promiseOf(Chain, number);
  const made: ChainBench[] = [];
  const noted = (bench: ChainBench): ChainBench => {
    made.push(bench);
    return bench;
  };
  const make: Benches['make'] = (name = 'alice', genesis = SOLO) =>
    noted(new ChainBench(plugin, name, genesis, undefined, options.config));
  const benches: Benches = {
    make,
    open: (name, genesis) => make(name, genesis).start(),
    restart: async (bench) => noted(await bench.restart()),
    crash: async (bench) => noted(await bench.crash()),
  };
  const { open } = benches;
  const several = (genesis: Genesis, ...names: string[]): Promise<ChainBench[]> =>
    Promise.all(names.map((name) => open(name, genesis)));

  afterEach(async () => {
    for (const bench of made.splice(0)) await bench.stop();
  });

  it(promise('C1'), async () => {
    const node = await open();
    for (const text of ['a=1', 'a=2']) await committedInOneBatch(node, text);
    // What cannot be written is not committed, and can be committed later.
    node.pooled = [benchTransaction(SOLO, 'bob', { text: 'b=1' })];
    const { digest } = await node.chain.build({ height: 3 });
    const certificate = certifyBlock(await node.tip(), digest);
    const before = await node.contents();
    node.storage.beforeWrite = () => {
      throw new Error('the disk is full');
    };
    expect(await codeOf(node.commit(3, digest, certificate)), 'on a full disk').to.not.include('answered');
    node.storage.beforeWrite = undefined;
    expect(await node.contents(), 'after a write that failed').to.deep.equal(before);
    expect((await node.tip()).height).to.equal(2);
    expect((await node.commit(3, digest, certificate)).height).to.equal(3);
    // Whoever was answered finds it again after a power cut.
    const after = await benches.crash(node);
    expect(await after.tip(), 'after a power cut').to.deep.equal(await node.tip());
    await notOverAnotherTip(after);
  });

  it(promise('C2'), async () => {
    const maker = await open();
    const committed = benchTransaction(SOLO, 'bob');
    await maker.advance(committed);
    maker.pooled = ['a=1', 'b=2'].map((text) => benchTransaction(SOLO, 'bob', { text }));
    const { block } = await maker.chain.build({ height: 2 });
    const node = await benches.restart(maker);
    const before = await node.contents();
    const proposed = node.context.told(Chain.events.proposed).length;
    const wrong = brokenBlocks(block, committed);
    for (const [what, broken] of wrong) {
      expect(await node.reason(broken), what).to.not.equal('');
      const digest = node.digestOf(broken);
      const certificate = certifyBlock(await node.tip(), digest);
      if (what === 'state root') continue;
      expect(await codeOf(node.commit(2, digest, certificate, broken)), what).to.match(/^ERR_(?!INTERNAL)/);
    }
    await settle();
    expect(await node.contents()).to.deep.equal(before);
    expect((await node.tip()).height).to.equal(1);
    expect(node.context.told(Chain.events.proposed).length, 'told as proposed').to.equal(proposed);
    expect(node.context.told(Chain.events.committed), 'told as committed').to.deep.equal([]);
    // The header of the right one was in some of the wrong ones: that is not held against it.
    expect(await node.reason(block)).to.equal('');
    expect(await node.reason({ ...block, transactions: block.transactions.toReversed() })).to.not.equal('');
    expect(await node.reason(block)).to.equal('');
  });

  it(promise('C3'), async () => {
    const genesis = chainGenesis(['alice', 'bob', 'carol']);
    const nodes = await several(genesis, 'alice', 'bob', 'carol');
    for (let height = 1; height <= 6; height += 1) {
      const leader = nodes[height % 3]!;
      leader.pooled = Array.from({ length: height }, (_, at) =>
        benchTransaction(genesis, 'dave', { text: at % 3 === 2 ? 'no pair' : `k${at}=${height}` }),
      );
      const { block, digest } = await leader.chain.build({ height });
      const certificate = certifyBlock(await leader.tip(), digest);
      for (const node of nodes) {
        const answer = await node.chain.check({ block, fresh: true });
        expect([answer.valid, answer.reason, toHex(answer.digest)]).to.deep.equal([true, '', toHex(digest)]);
      }
      const tips = await Promise.all(nodes.map((node) => node.commit(height, digest, certificate)));
      for (const tip of tips) expect(tip, `height ${height}`).to.deep.equal(tips[0]);
      expect(toHex(tips[0]!.digest)).to.equal(toHex(digest));
      leader.pooled = [];
    }
    // Somebody who was away takes the same blocks without a check before.
    const late = await open('dave', genesis);
    for (const made of await madeBlocks(nodes[0]!)) await take(late, made);
    expect(await late.tip(), 'who came late').to.deep.equal(await nodes[0]!.tip());
    expect(toHex((await late.tip()).applicationRoot)).to.equal(toHex(await late.application.root()));
    for (const node of nodes) {
      const tip = await node.tip();
      expect(await (await benches.restart(node)).tip(), 'after a restart').to.deep.equal(tip);
    }
  });

  it(promise('C4'), async () => {
    const genesis = chainGenesis(['alice'], { window: 4 });
    let node = await open('alice', genesis);
    const first = benchTransaction(genesis, 'bob', { expiresAt: 5 });
    await node.advance(first, first);
    for (let height = 2; height <= 5; height += 1) {
      const fresh = benchTransaction(genesis, 'bob', { expiresAt: height + 2, text: `k=${height}` });
      // The pool offers it again, and a leader that does not look takes it.
      const { block } = await node.advance(first, fresh);
      expect(block.transactions.map(toHex), `height ${height}`).to.deep.equal([toHex(fresh)]);
      const tip = await node.tip();
      node.pooled = [];
      const next = (await node.chain.build({ height: height + 1 })).block;
      expect(await node.reason(bodied(next, [first], genesis)), `again at height ${height + 1}`).to.not.equal('');
      expect((await node.tip()).digest).to.deep.equal(tip.digest);
      if (height === 3) node = await benches.restart(node);
    }
    const { blocks } = await node.chain.range({ from: 1, maxCount: 0, maxBytes: 0 });
    const ids = blocks.flatMap(({ block }) => Block.decode(block).transactions.map((one) => toHex(idOf(one))));
    expect(ids).to.have.length(new Set(ids).size);
  });

  it(promise('C5'), async function () {
    this.timeout(60_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6));
    await testCrashes(benches, options.schedules ?? 40);
  });

  it(promise('C6'), async () => {
    const genesis = chainGenesis(['alice'], { growth: 'immediate' });
    const node = await open('alice', genesis);
    const names = async (height: number): Promise<string[]> =>
      (await node.chain.validators({ height })).validators.validators.map(({ publicKey }) => toHex(publicKey));
    const [alice, bob] = ['alice', 'bob'].map((name) => toHex(benchKeys(name).publicKey));
    const membership = { promote: { publicKeys: [benchKeys('bob').publicKey] } };
    await node.advance(benchTransaction(genesis, 'alice', { membership: benchJoin(genesis, 'bob') }));
    await node.advance(benchTransaction(genesis, 'alice', { membership }));
    // Promoted in block 2: V(3) is as it was.
    expect([await names(2), await names(3), await names(4)]).to.deep.equal([[alice], [alice], [alice, bob]]);
    const tip = await node.tip();
    expect(tip.validators.validators.length, 'V(3)').to.equal(1);
    expect(tip.nextValidators.validators.length, 'V(4)').to.equal(2);
    const { block, digest } = await node.chain.build({ height: 3 });
    const early = withHeader(block, { validators: BlockHeader.decode(block.header).nextValidators });
    expect(await node.reason(early), 'a set that holds too early').to.not.equal('');
    await node.commit(3, digest, certifyBlock(tip, digest));
    expect((await node.tip()).validators.validators.length, 'V(4) at its time').to.equal(2);
    await node.advance(benchTransaction(genesis, 'bob', { membership: { leave: {} } }));
    expect([await names(5), await names(6)]).to.deep.equal([[alice, bob], [alice]]);
    const again = await benches.restart(node);
    expect(await again.tip()).to.deep.equal(await node.tip());
    const { validators } = await again.chain.validators({ height: 4 });
    expect(validators.validators.length, 'V(4) after a restart').to.equal(2);
  });

  it(promise('C7'), async () => {
    const genesis = chainGenesis(['alice', 'bob']);
    const [alice, bob] = (await several(genesis, 'alice', 'bob')) as [ChainBench, ChainBench];
    const { block } = await alice.chain.build({ height: 1 });
    const late = withHeader(block, { time: alice.clock.now() + 3_600_000 });
    // Clocks, pools and what was asked before are not part of it.
    await bob.clock.advance(1_000_000);
    bob.pooled = [benchTransaction(genesis, 'carol')];
    expect(await alice.reason(late, true), 'an hour in the future').to.not.equal('');
    for (const node of [alice, bob, alice]) expect(await node.reason(late, false)).to.equal('');
    expect(await alice.reason(late, true), 'found valid meanwhile').to.not.equal('');
    const wrong = withHeader(block, { previous: new Uint8Array(32) });
    for (const fresh of [true, false]) {
      expect(await alice.reason(wrong, fresh)).to.equal(await bob.reason(wrong, fresh));
      expect(await alice.reason(block, fresh)).to.equal(await bob.reason(block, fresh));
    }
  });

  it(promise('C8'), async function () {
    if (options.snapshots === undefined) this.skip();
    const source = await noted(new ChainBench(plugin, 'alice', SOLO, undefined, options.snapshots)).start();
    await testSnapshots(benches, source);
  });

  testCommits(benches);
  testQuestions(benches);
  testPeers(benches);
}

/** Commits a block and looks at the writes that it took. */
async function committedInOneBatch(node: ChainBench, text: string): Promise<void> {
  const transaction = benchTransaction(node.genesis, 'bob', { text });
  const { height } = await node.tip();
  const logged = [height + 1, height + 2].map((at) => ({
    namespace: 'wal' as const,
    key: heightKey(at),
    value: utf8('vote'),
  }));
  await node.storage.write({ writes: logged, when: [], sync: true, writer: '', sequence: 0 });
  const parent = node.storage.peek('chain', chainKeys.tip);
  node.pooled = [transaction];
  const { digest } = await node.chain.build({ height: height + 1 });
  const requests: WriteRequest[] = [];
  node.storage.beforeWrite = (request) => requests.push(request);
  const certificate = certifyBlock(await node.tip(), digest);
  await node.chain.commit({ height: height + 1, digest, certificate, clearLogBelow: height + 2, sync: true });
  node.storage.beforeWrite = undefined;
  node.pooled = [];
  const touches = (namespace: string, key: Uint8Array) => (request: WriteRequest) =>
    request.writes.some((write) => write.namespace === namespace && sameBytes(write.key, key));
  const [batch, ...more] = requests.filter(touches('chain', chainKeys.tip));
  expect(more, 'one batch moves the tip').to.deep.equal([]);
  expect(batch?.sync, 'it is synced').to.equal(true);
  const condition = batch?.when.find(({ namespace, key }) => namespace === 'chain' && sameBytes(key, chainKeys.tip));
  expect(condition, 'on the condition of the tip').to.not.equal(undefined);
  expect(condition?.value && toHex(condition.value)).to.equal(parent && toHex(parent));
  // All that belongs to the block is in this batch, and in no other one.
  for (const [namespace, key] of [
    ['chain', chainKeys.transaction(idOf(transaction))],
    ['app', utf8(text.slice(0, 1))],
    ['wal', heightKey(height + 1)],
  ] as const) {
    expect(requests.filter(touches(namespace, key)), `${namespace} ${toHex(key)}`).to.deep.equal([batch]);
  }
  expect(node.storage.peek('wal', heightKey(height + 1))).to.equal(undefined);
  expect(node.storage.peek('wal', heightKey(height + 2))).to.not.equal(undefined);
}

/** Somebody else has moved the tip, as a write of this node does that was thought lost: it is not written over. */
async function notOverAnotherTip(node: ChainBench): Promise<void> {
  const { height } = await node.tip();
  const { digest } = await node.chain.build({ height: height + 1 });
  const certificate = certifyBlock(await node.tip(), digest);
  const stored = node.storage.peek('chain', chainKeys.tip)!;
  const value = Uint8Array.from(stored);
  value[value.length - 1] = (value[value.length - 1] ?? 0) ^ 1;
  const writes = [{ namespace: 'chain' as const, key: chainKeys.tip, value }];
  await node.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  const before = await node.contents();
  expect(await codeOf(node.commit(height + 1, digest, certificate)), 'over another tip').to.not.include('answered');
  expect(await node.contents(), 'over another tip').to.deep.equal(before);
}
