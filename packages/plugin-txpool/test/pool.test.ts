import { expect } from 'chai';
import {
  Chain,
  Genesis,
  P2p,
  TxPool,
  equivocation,
  p2pKeys,
  failure,
  hasCode,
  networkOf,
  signTransaction,
  toHex,
  utf8,
  type Membership,
  type Write,
} from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import { PoolFixture, genesisOf, idOf, keysOf, transaction } from './fixture.js';

const hexes = (list: readonly Uint8Array[]): string[] => list.map((one) => toHex(one));
const flipLast = (encoded: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(encoded);
  copy[copy.length - 40] = (copy[copy.length - 40] ?? 0) ^ 1;
  return copy;
};

describe('the pool', () => {
  it('X1: what is answered as pending is on disk', async () => {
    const fixture = await new PoolFixture().start();
    const synced: boolean[] = [];
    fixture.storage.beforeWrite = (request) => synced.push(request.sync);
    const sent = transaction('a');
    expect(await fixture.outcomes(sent)).to.deep.equal(['pending']);
    expect(synced).to.deep.equal([true]);
    const again = await fixture.restart();
    expect(hexes(await again.take())).to.deep.equal(hexes([sent]));
  });

  it('X1: a write that fails is an error of the submit, and nothing waits', async () => {
    const fixture = await new PoolFixture().start();
    fixture.storage.beforeWrite = () => {
      throw failure('ERR_STORAGE_IO', 'disk full');
    };
    const sent = transaction('a');
    const error = await fixture.submit(sent).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(hasCode(error, 'ERR_STORAGE_IO')).to.equal(true);
    fixture.storage.beforeWrite = undefined;
    expect(await fixture.take()).to.deep.equal([]);
    expect((await fixture.pool.status({})).bytes).to.equal(0);
    expect(await fixture.outcomes(sent)).to.deep.equal(['pending']);
  });

  it('X1: submits that come during a write share the next one', async () => {
    const fixture = await new PoolFixture().start();
    const writes: number[] = [];
    const { storage } = fixture;
    const write = storage.write.bind(storage);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    storage.write = async (request) => {
      writes.push(request.writes.length);
      if (writes.length === 1) await gate;
      return write(request);
    };
    const first = fixture.submit(transaction('a'));
    await settle();
    const others = [1, 2, 3].map((index) => fixture.submit(transaction(`s${index}`)));
    await settle();
    expect(writes).to.deep.equal([1]);
    open();
    await Promise.all([first, ...others]);
    expect(writes).to.deep.equal([1, 3]);
  });

  it('X3: a known id is answered with its state and changes nothing', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a');
    await fixture.submit(sent);
    const writes = fixture.storage.writes;
    expect(await fixture.outcomes(sent, flipLast(sent))).to.deep.equal(['pending', 'pending']);
    await fixture.commit(1, [sent]);
    expect(await fixture.outcomes(sent)).to.deep.equal(['committed']);
    expect(fixture.storage.writes - writes).to.equal(1);
    expect(fixture.verified).to.equal(1);
    const again = await fixture.restart();
    expect(await again.outcomes(sent)).to.deep.equal(['committed']);
    expect((await again.pool.get({ ids: [idOf(sent)] })).entries[0]?.state).to.equal('committed');
  });

  it('X3: a signature is verified once, however many bring it at the same time', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a');
    const answers = await Promise.all([fixture.outcomes(sent, sent), fixture.outcomes(sent), fixture.outcomes(sent)]);
    expect(answers.flat()).to.deep.equal(['pending', 'pending', 'pending', 'pending']);
    expect(fixture.verified).to.equal(1);
    expect(await fixture.take()).to.have.length(1);
  });

  it('X3: a forged copy neither keeps the true one out nor is remembered', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a');
    const [first, second] = await Promise.all([fixture.outcomes(flipLast(sent)), fixture.outcomes(sent)]);
    expect([first, second]).to.deep.equal([['ERR_TX_SIGNATURE'], ['pending']]);
    const later = transaction('a');
    expect(await fixture.outcomes(flipLast(later))).to.deep.equal(['ERR_TX_SIGNATURE']);
    expect(await fixture.outcomes(later, flipLast(later))).to.deep.equal(['pending', 'pending']);
  });

  it('X4: a transaction with a wrong signature, for another network, expired, too large or malformed is rejected with its code', async () => {
    const fixture = await new PoolFixture().start();
    await fixture.commit(9, []);
    const good = transaction('a');
    const wrong = [
      flipLast(transaction('a')),
      transaction('a', { genesis: genesisOf('two') }),
      transaction('a', { expiresAt: 9 }),
      transaction('a', { expiresAt: 1_011 }),
      transaction('a', { payload: new Uint8Array(2_000) }),
      transaction('a', { payload: utf8('bad') }),
      utf8('garbage'),
      new Uint8Array(0),
      good.subarray(0, good.length - 1),
    ];
    expect(await fixture.outcomes(...wrong, good)).to.deep.equal([
      'ERR_TX_SIGNATURE',
      'ERR_TX_DIFFERENT_NETWORK',
      'ERR_TX_EXPIRED',
      'ERR_TX_EXPIRY_TOO_FAR',
      'ERR_TX_TOO_LARGE',
      'ERR_TX_REFUSED',
      'ERR_TX_MALFORMED',
      'ERR_TX_MALFORMED',
      'ERR_TX_MALFORMED',
      'pending',
    ]);
    expect(await fixture.take(10)).to.have.length(1);
    expect(
      await fixture.outcomes(transaction('a', { expiresAt: 10 }), transaction('a', { expiresAt: 1_010 })),
    ).to.deep.equal(['pending', 'pending']);
  });

  it('X4: takes every change of the members that the chain knows, and refuses one that names none', async () => {
    const fixture = await new PoolFixture().start();
    const publicKey = keysOf('b').publicKey;
    const half = { digest: publicKey, signature: new Uint8Array(64) };
    const changes: Required<Membership> = {
      join: { publicKey, name: 'b', signature: new Uint8Array(64) },
      promote: { publicKeys: [publicKey] },
      leave: {},
      propose: { action: { admit: { publicKey, name: 'b' } }, approve: true },
      vote: { proposal: publicKey, approve: true },
      accuse: { evidence: equivocation({ publicKey, type: 'commit', height: 1, round: 0 }, half, half) },
    };
    const network = networkOf(genesisOf('one'));
    const signed = (membership: Membership): Uint8Array =>
      signTransaction({ network, nonce: utf8(`${++nonce}`.padStart(8)), expiresAt: 100, membership }, keysOf('a'));
    let nonce = 0;
    for (const [name, change] of Object.entries(changes)) {
      expect(await fixture.outcomes(signed({ [name]: change })), name).to.deep.equal(['pending']);
    }
    expect(await fixture.outcomes(signed({}))).to.deep.equal(['ERR_TX_MALFORMED']);
  });

  it('X4: over a limit a transaction is rejected with its code, unverified, and may be sent again', async () => {
    const fixture = await new PoolFixture({ maxCount: 3, maxPerSender: 2 }).start();
    const all = [transaction('a'), transaction('a'), transaction('a'), transaction('b'), transaction('c')];
    expect(await fixture.outcomes(...all)).to.deep.equal([
      'pending',
      'pending',
      'ERR_TXPOOL_SENDER_LIMIT',
      'pending',
      'ERR_TXPOOL_FULL',
    ]);
    expect(fixture.verified).to.equal(3);
    expect((await fixture.pool.status({})).full).to.equal(true);
    await fixture.commit(1, all.slice(0, 1));
    expect(await fixture.outcomes(all[2] ?? new Uint8Array(0))).to.deep.equal(['pending']);
  });

  it('X4: the limit of bytes holds', async () => {
    const size = transaction('a').length;
    const fixture = await new PoolFixture({ maxBytes: Math.max(1_024, size * 8) }).start();
    const many = Array.from({ length: 20 }, (_, index) => transaction(`s${index}`));
    const outcomes = await fixture.outcomes(...many);
    expect(outcomes.filter((one) => one === 'pending')).to.have.length(Math.floor(Math.max(1_024, size * 8) / size));
    expect(outcomes).to.include('ERR_TXPOOL_FULL');
  });

  it('X5: an expired transaction is rejected, its sender is told, and the reason survives a restart', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a', { expiresAt: 3 });
    await fixture.submit(sent, transaction('a', { expiresAt: 4 }));
    await fixture.commit(3, []);
    const told = fixture.context.told(TxPool.events.rejected).flatMap(({ entries }) => entries);
    expect(told.map(({ id, code }) => [toHex(id), code])).to.deep.equal([[toHex(idOf(sent)), 'ERR_TX_EXPIRED']]);
    expect(await fixture.take(4)).to.have.length(1);
    expect(await fixture.outcomes(sent)).to.deep.equal(['ERR_TX_EXPIRED']);
    await fixture.commit(4, []);
    expect(await fixture.take(5)).to.deep.equal([]);
    expect((await fixture.pool.status({})).count).to.equal(0);
    await fixture.clock.advance(2_000);
    const again = await fixture.restart();
    expect((await again.pool.get({ ids: [idOf(sent)] })).entries[0]?.code).to.equal('ERR_TX_EXPIRED');
  });

  it('X5: what was signed for the candidate is rejected when the node belongs to another network', async () => {
    const fixture = new PoolFixture();
    fixture.genesis = undefined;
    fixture.candidate = genesisOf('mine');
    fixture.leader = undefined;
    await fixture.start();
    const mine = transaction('a', { genesis: genesisOf('mine') });
    const [entry] = await fixture.submit(mine);
    expect([entry?.state, entry?.reason]).to.deep.equal(['pending', 'no leader yet']);
    expect(await fixture.outcomes(transaction('a'))).to.deep.equal(['ERR_TX_DIFFERENT_NETWORK']);
    fixture.genesis = genesisOf('one');
    fixture.leader = keysOf('founder').publicKey;
    await fixture.context.tell(P2p.events.founded, {
      genesis: new Uint8Array(0),
      founder: false,
      candidate: new Uint8Array(0),
    });
    await settle();
    const told = fixture.context.told(TxPool.events.rejected).flatMap(({ entries }) => entries);
    expect(told.map(({ code }) => code)).to.deep.equal(['ERR_TX_DIFFERENT_NETWORK']);
    expect((await fixture.pool.get({ ids: [idOf(mine)] })).entries[0]?.state).to.equal('rejected');
    expect(await fixture.outcomes(transaction('a'))).to.deep.equal(['pending']);
    expect(await fixture.take()).to.have.length(1);
  });

  it('X5: what waits for another network is rejected also where the network is told while the pool is read', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a');
    await fixture.submit(sent);
    await fixture.running?.stop();
    const next = new PoolFixture({}, fixture.storage);
    next.genesis = genesisOf('two');
    const range = next.storage.range.bind(next.storage);
    let told = false;
    next.storage.range = async (request) => {
      const page = await range(request);
      if (!told) {
        told = true;
        const nothing = new Uint8Array(0);
        await next.context.tell(P2p.events.founded, { genesis: nothing, founder: false, candidate: nothing });
        await settle();
      }
      return page;
    };
    await next.start();
    expect((await next.pool.get({ ids: [idOf(sent)] })).entries[0]?.code).to.equal('ERR_TX_DIFFERENT_NETWORK');
  });

  it('X5: what was signed for the candidate stays when the candidate becomes the network', async () => {
    const fixture = new PoolFixture();
    fixture.candidate = genesisOf('one');
    fixture.genesis = undefined;
    await fixture.start();
    const sent = transaction('a');
    await fixture.submit(sent);
    fixture.genesis = genesisOf('one');
    await fixture.clock.advance(1_100);
    expect(hexes(await fixture.take())).to.deep.equal(hexes([sent]));
    expect((await fixture.pool.get({ ids: [idOf(sent)] })).entries[0]?.reason).to.equal('waiting for a block');
  });

  it('X5: a genesis that p2p has stored and not settled on counts before the candidate', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a');
    await fixture.submit(sent);
    const value = Genesis.encode(genesisOf('one'));
    await fixture.storage.write({
      writes: [{ namespace: 'p2p', key: p2pKeys.genesis, value }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    fixture.genesis = undefined;
    fixture.candidate = genesisOf('mine');
    const again = await fixture.restart();
    await again.clock.advance(5_000);
    expect((await again.pool.get({ ids: [idOf(sent)] })).entries[0]?.reason).to.equal('no leader yet');
    expect(await again.outcomes(transaction('a'))).to.deep.equal(['pending']);
  });

  it('X5: an event of a committed block that is lost is made good', async () => {
    const fixture = await new PoolFixture().start();
    const [first, second, third] = [transaction('a'), transaction('b'), transaction('c')];
    await fixture.submit(first, second, third);
    await fixture.commit(1, [first], false);
    await fixture.commit(2, [second]);
    expect(hexes(await fixture.take(3))).to.deep.equal(hexes([third]));
    await fixture.commit(3, [third], false);
    await fixture.clock.advance(6_000);
    expect(await fixture.take(4)).to.deep.equal([]);
  });

  it('X5: what is committed or of another network by the time it is on disk does not wait', async () => {
    const fixture = await new PoolFixture().start();
    const [first, second] = [transaction('a'), transaction('b')];
    const write = fixture.storage.write.bind(fixture.storage);
    const during = async (work: () => Promise<void>, sent: Uint8Array): Promise<void> => {
      fixture.storage.write = async (request) => {
        fixture.storage.write = write;
        await work();
        return write(request);
      };
      await fixture.submit(sent);
    };
    await during(() => fixture.commit(1, [first]), first);
    expect(await fixture.take(2)).to.deep.equal([]);
    await during(async () => {
      fixture.genesis = genesisOf('two');
      await fixture.context.tell(P2p.events.founded, {
        genesis: new Uint8Array(0),
        founder: false,
        candidate: new Uint8Array(0),
      });
      await settle();
    }, second);
    expect((await fixture.pool.get({ ids: [idOf(second)] })).entries[0]?.code).to.equal('ERR_TX_DIFFERENT_NETWORK');
    const { count, bytes } = await fixture.pool.status({});
    expect([count, bytes]).to.deep.equal([0, 0]);
  });

  it('X5: take gives nothing that is committed, although the event of the block is late', async () => {
    const fixture = await new PoolFixture().start();
    const [first, second] = [transaction('a'), transaction('a')];
    await fixture.submit(first, second);
    await fixture.commit(1, [first], false);
    const taking = fixture.take(2, 1);
    await fixture.clock.advance(300);
    expect(hexes(await taking)).to.deep.equal(hexes([second]));
  });

  it('X5: take waits a moment for the event of the block before', async () => {
    const fixture = await new PoolFixture().start();
    const [first, second] = [transaction('a'), transaction('a')];
    await fixture.submit(first, second);
    await fixture.commit(1, [first], false);
    const taking = fixture.take(2);
    await settle();
    await fixture.tellCommitted(1, [idOf(first)]);
    expect(hexes(await taking)).to.deep.equal(hexes([second]));
  });

  it('X6: take removes nothing; what a failed block held can be taken again', async () => {
    const fixture = await new PoolFixture().start();
    const sent = transaction('a');
    await fixture.submit(sent);
    await fixture.context.tell(Chain.events.proposed, {
      height: 1,
      digest: new Uint8Array(32),
      transactions: 1,
      ids: [idOf(sent)],
    });
    const state = async (): Promise<string | undefined> =>
      (await fixture.pool.get({ ids: [idOf(sent)] })).entries[0]?.reason;
    expect(await state()).to.equal('proposed in block 1');
    expect(await fixture.take()).to.have.length(1);
    await fixture.commit(1, []);
    expect(await state()).to.equal('waiting for a block');
    expect(await fixture.take(2)).to.have.length(1);
  });

  it('X7: after a restart the same transactions wait in the same order, without those that were committed', async () => {
    const fixture = await new PoolFixture().start();
    const sent = ['a', 'a', 'b', 'c', 'b', 'a'].map((sender) => transaction(sender));
    for (const one of sent) await fixture.submit(one);
    await fixture.commit(1, sent.slice(1, 3), false);
    await fixture.commit(2, [], false);
    const again = await fixture.restart();
    const after = hexes(await again.take(3));
    expect(after).to.have.length(4);
    const order = [sent[0], sent[3], sent[4], sent[5]].map((one) => toHex(one ?? new Uint8Array(0)));
    expect(after).to.deep.equal(order);
    const more = transaction('z');
    await again.submit(more);
    expect(hexes(await (await again.restart()).take(3))).to.have.members([...order, toHex(more)]);
  });

  it('sweeps what has left from the store, in bounded batches', async () => {
    const fixture = await new PoolFixture({ sweepCount: 2 }).start();
    const sent = [1, 2, 3].map(() => transaction('a'));
    await fixture.submit(...sent);
    await fixture.commit(1, sent);
    const removed: (readonly Write[])[] = [];
    fixture.storage.beforeWrite = (request) => removed.push(request.writes);
    await fixture.clock.advance(2_500);
    expect(removed.map((writes) => writes.length)).to.deep.equal([2, 1]);
    const { entries } = await fixture.storage.range({
      namespace: 'pool',
      from: utf8('t/'),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    expect(entries).to.deep.equal([]);
  });

  it('answers with a retryable error while it is not known which network to sign for', async () => {
    const fixture = new PoolFixture();
    fixture.genesis = undefined;
    await fixture.start();
    const error = await fixture.submit(transaction('a')).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(hasCode(error, 'ERR_NETWORK_UNFOUNDED')).to.equal(true);
    fixture.genesis = genesisOf('one');
    expect(await fixture.outcomes(transaction('a'))).to.deep.equal(['pending']);
  });

  it('answers have with the bytes of what it holds verified, and with nothing for the rest', async () => {
    const fixture = await new PoolFixture().start();
    const [sent, other] = [transaction('a'), transaction('a')];
    await fixture.submit(sent);
    const { transactions } = await fixture.pool.have({ ids: [idOf(other), idOf(sent)] });
    expect(hexes(transactions)).to.deep.equal(['', toHex(sent)]);
  });
});
