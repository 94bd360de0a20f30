/// <reference types="mocha" />
import { expect } from 'chai';
import { TxPool, toHex, utf8, type Plugin } from '@it-chain/contracts';
import { settle } from '../doubles/manual-clock.js';
import { PoolBench, idOf, peerId, poolGenesis } from './pool-bench.js';
import { codeOf, promiseOf } from './promise.js';

/** What the suite is told about a pool. */
export interface TxPoolUnderTest {
  /** The plugin's section. */
  readonly config?: unknown;
  /** Sections under which a limit is reached with few transactions, and how many then fit. Absent: its limits are not tested. */
  readonly limits?: {
    /** A pool of `most` transactions of any senders. */
    readonly total?: { readonly config: unknown; readonly most: number };
    /** At most `most` of one sender, while others find room. */
    readonly perSender?: { readonly config: unknown; readonly most: number };
  };
  /** False for a pool with an order of its own: then promise X2 is not tested. Default true. */
  readonly fair?: boolean;
  /** False for a pool that tells no peer: for a network of one node only. Default true. */
  readonly spreads?: boolean;
}

const flipped = (encoded: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(encoded);
  copy[copy.length - 40] = (copy[copy.length - 40] ?? 0) ^ 1;
  return copy;
};

/**
 * The compliance suite of the txpool role. Call it inside `describe`; the titles are the role's promises. The plugin runs
 * on doubles of the roles around a pool: what it uses of them must be in its manifest, and time only passes on its clock.
 */
export function testTxPool(plugin: Plugin, options: TxPoolUnderTest = {}): void {
  const promise = (number: string): string => promiseOf(TxPool, number);
  const { config } = options;
  const benches: PoolBench[] = [];
  const open = async (section: unknown = config): Promise<PoolBench> => noted(new PoolBench(plugin, section)).start();
  const noted = (bench: PoolBench): PoolBench => {
    benches.push(bench);
    return bench;
  };
  const restart = async (bench: PoolBench): Promise<PoolBench> => noted(await bench.restart(config));

  afterEach(async () => {
    for (const bench of benches.splice(0)) await bench.stop();
  });

  it(promise('X1'), async () => {
    const bench = await open();
    const sent = ['a', 'b', 'a', 'c'].map((sender) => bench.transaction(sender));
    for (const one of sent) expect(await bench.submit(one)).to.deep.equal(['pending']);
    const after = noted(await bench.crash(config));
    expect(await after.take()).to.have.members(sent.map(toHex));
    expect(await after.stateOf(sent[0]!)).to.equal('pending');
    // What could not be written is no pending transaction.
    after.storage.beforeWrite = () => {
      throw new Error('the disk is full');
    };
    const lost = after.transaction('d');
    expect(await codeOf(after.submit(lost))).to.not.include('pending');
    after.storage.beforeWrite = undefined;
    expect(await after.take()).to.have.length(sent.length);
  });

  if (options.fair !== false) {
    it(promise('X2'), async () => {
      const bench = await open();
      const order = ['a', 'a', 'a', 'b', 'a', 'c', 'b'].map((sender) => [sender, bench.transaction(sender)] as const);
      for (const [, one] of order) await bench.submit(one);
      const named = new Map(order.map(([sender, one], index) => [toHex(one), `${sender}${index}`]));
      const all = (await bench.take()).map((one) => named.get(one));
      expect(all).to.deep.equal(['a0', 'b3', 'c5', 'a1', 'b6', 'a2', 'a4']);
      expect((await bench.take(3)).map((one) => named.get(one))).to.deep.equal(['a0', 'b3', 'c5']);
      const [, first] = order[0]!;
      const [, second] = order[3]!;
      const two = first.length + second.length;
      expect((await bench.take(10, two)).map((one) => named.get(one))).to.deep.equal(['a0', 'b3']);
    });
  }

  it(promise('X3'), async () => {
    const bench = await open();
    const [sent, other] = [bench.transaction('a'), bench.transaction('b')];
    expect(await bench.submit(sent, other, sent)).to.deep.equal(['pending', 'pending', 'pending']);
    expect(await bench.submit(sent)).to.deep.equal(['pending']);
    expect(await bench.take()).to.have.members([sent, other].map(toHex));
    expect((await bench.pool.status({})).count).to.equal(2);
    await bench.commit([sent]);
    const [again] = await bench.submit(sent);
    expect(again).to.equal('committed');
    expect(await bench.take()).to.deep.equal([toHex(other)]);
    expect(await bench.stateOf(bench.transaction('z'))).to.equal('unknown');
    // A forged copy of an id that is not known neither gets in nor keeps the true one out.
    const later = bench.transaction('a');
    expect(await bench.submit(flipped(later))).to.deep.equal(['ERR_TX_SIGNATURE']);
    expect(await bench.submit(later)).to.deep.equal(['pending']);
  });

  it(promise('X4'), async () => {
    const bench = await open();
    await bench.commit([]);
    const good = bench.transaction('a');
    const wrong: readonly (readonly [Uint8Array, string])[] = [
      [flipped(bench.transaction('a')), 'ERR_TX_SIGNATURE'],
      [bench.transaction('a', { genesis: poolGenesis('two') }), 'ERR_TX_DIFFERENT_NETWORK'],
      [bench.transaction('a', { expiresAt: 1 }), 'ERR_TX_EXPIRED'],
      [bench.transaction('a', { expiresAt: 2 + 1_000 + 1 }), 'ERR_TX_EXPIRY_TOO_FAR'],
      [bench.transaction('a', { payload: new Uint8Array(2_001) }), 'ERR_TX_TOO_LARGE'],
      [bench.transaction('a', { payload: utf8('bad') }), 'ERR_TX_REFUSED'],
      [utf8('garbage'), 'ERR_TX_MALFORMED'],
      [new Uint8Array(0), 'ERR_TX_MALFORMED'],
    ];
    expect(await bench.submit(...wrong.map(([one]) => one), good)).to.deep.equal([
      ...wrong.map(([, code]) => code),
      'pending',
    ]);
    expect(await bench.take()).to.deep.equal([toHex(good)]);
    const edge = [bench.transaction('a', { expiresAt: 2 }), bench.transaction('a', { expiresAt: 2 + 1_000 })];
    expect(await bench.submit(...edge)).to.deep.equal(['pending', 'pending']);
  });

  if (options.limits?.total !== undefined) {
    const { most, config: section } = options.limits.total;
    it(`${promise('X4')} (a full pool)`, async () => {
      const bench = await open(section);
      const sent = Array.from({ length: most + 1 }, (_, index) => bench.transaction(`s${index}`));
      const outcomes = await bench.submit(...sent);
      expect(outcomes.filter((one) => one === 'pending')).to.have.length(most);
      expect(outcomes).to.include('ERR_TXPOOL_FULL');
      expect((await bench.pool.status({})).full).to.equal(true);
      const refused = sent[outcomes.indexOf('ERR_TXPOOL_FULL')]!;
      // Once there is room the same transaction may come again.
      await bench.commit([sent[outcomes.indexOf('pending')]!]);
      expect(await bench.submit(refused)).to.deep.equal(['pending']);
    });
  }
  if (options.limits?.perSender !== undefined) {
    const { most, config: section } = options.limits.perSender;
    it(`${promise('X4')} (one sender with too many)`, async () => {
      const bench = await open(section);
      const sent = Array.from({ length: most + 1 }, () => bench.transaction('greedy'));
      const outcomes = await bench.submit(...sent);
      expect(outcomes.filter((one) => one === 'pending')).to.have.length(most);
      expect(outcomes).to.include('ERR_TXPOOL_SENDER_LIMIT');
      expect(await bench.submit(bench.transaction('modest'))).to.deep.equal(['pending']);
    });
  }

  it(promise('X5'), async () => {
    const bench = await open();
    const [committed, expiring, staying] = [
      bench.transaction('a'),
      bench.transaction('b', { expiresAt: 2 }),
      bench.transaction('c'),
    ];
    await bench.submit(committed, expiring, staying);
    await bench.commit([committed]);
    expect(await bench.take()).to.have.members([expiring, staying].map(toHex));
    await bench.commit([]);
    expect(await bench.take()).to.deep.equal([toHex(staying)]);
    await bench.clock.advance(60_000);
    expect(await bench.stateOf(expiring)).to.equal('ERR_TX_EXPIRED');
    const told = bench.context.told(TxPool.events.rejected).flatMap(({ entries }) => entries);
    expect(told.map(({ id, code }) => [toHex(id), code])).to.deep.equal([[toHex(idOf(expiring)), 'ERR_TX_EXPIRED']]);
    // The event of a block may get lost: the store tells.
    await bench.commit([staying], false);
    expect(await bench.take()).to.deep.equal([]);
    const foreign = bench.transaction('d');
    await bench.submit(foreign);
    await bench.changeNetwork('two');
    await bench.clock.advance(60_000);
    expect(await bench.take()).to.deep.equal([]);
    expect(await bench.submit(bench.transaction('d'))).to.deep.equal(['pending']);
  });

  it(promise('X6'), async () => {
    const bench = await open();
    const sent = ['a', 'b'].map((sender) => bench.transaction(sender));
    await bench.submit(...sent);
    const first = await bench.take();
    expect(first).to.have.members(sent.map(toHex));
    expect(await bench.take()).to.deep.equal(first);
    // The block failed and another one without them was committed.
    await bench.commit([]);
    expect(await bench.take()).to.have.members(first);
    const { transactions } = await bench.pool.have({ ids: [idOf(bench.transaction('z')), ...sent.map(idOf)] });
    expect(transactions.map(toHex)).to.deep.equal(['', ...sent.map(toHex)]);
  });

  it(promise('X7'), async () => {
    const bench = await open();
    const sent = ['a', 'b', 'a', 'c', 'b', 'a'].map((sender) => bench.transaction(sender));
    for (const one of sent) await bench.submit(one);
    const before = await bench.take();
    const again = await restart(bench);
    expect(await again.take()).to.deep.equal(before);
    // Committed by the others while this node was away: no event tells it.
    await again.stop();
    await again.commit([sent[1]!, sent[2]!], false);
    const last = await restart(again);
    expect(await last.take()).to.have.members([0, 3, 4, 5].map((index) => toHex(sent[index]!)));
    expect(await last.stateOf(sent[1]!)).to.equal('committed');
    const more = last.transaction('d');
    await last.submit(more);
    expect(await (await restart(last)).take()).to.include(toHex(more));
  });

  if (options.spreads !== false) {
    it(promise('X8'), async () => {
      const bench = await open();
      await bench.connect('early');
      const sent = ['a', 'b', 'a'].map((sender) => bench.transaction(sender));
      await bench.submit(...sent.slice(0, 2));
      await bench.connect('late');
      await bench.submit(...sent.slice(2));
      for (const peer of ['early', 'late'].map(peerId)) {
        for (let turn = 0; turn < 100 && (bench.given.get(peer) ?? []).length < sent.length; turn += 1) {
          await bench.clock.advance(100);
          await settle();
        }
        expect([...new Set((bench.given.get(peer) ?? []).map(toHex))], peer).to.have.members(sent.map(toHex));
      }
    });
  }
}
