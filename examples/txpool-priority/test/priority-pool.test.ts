import { expect } from 'chai';
import {
  Genesis,
  P2p,
  PoolEntries,
  Transport,
  TransactionBatch,
  TxPool,
  failure,
  sha256,
  toHex,
  utf8,
} from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import { Pool, genesisOf, idOf, ids, keysOf, transaction } from './fixture.js';

const askOf = (body: Uint8Array) => ({
  from: 'p1',
  publicKey: sha256(utf8('p1')),
  requestId: 'r',
  kind: 'transactions',
  body,
});

describe('PriorityPool', () => {
  it('gives transactions in its own order, and takes nothing away by that', async () => {
    const pool = await new Pool({ first: [toHex(keysOf('vip').publicKey)] }).start();
    const [a1, a2, v1, v2] = [transaction('a'), transaction('a'), transaction('vip'), transaction('vip')];
    await pool.submit(a1, a2, v1, v2);
    expect(await pool.take(1, 2)).to.deep.equal(ids(v1, a1));
    expect((await pool.take()).sort()).to.deep.equal(ids(v1, v2, a1, a2).sort());
  });

  it('X1, X7: what is answered as pending is on disk, and waits in the same order after a restart', async () => {
    const pool = await new Pool().start();
    const all = [transaction('a'), transaction('b'), transaction('a'), transaction('c')];
    for (const one of all) await pool.submit(one);
    const before = await pool.take();
    expect(before).to.have.length(4);
    const again = await new Pool({}, pool.storage).start();
    await again.context.clock.advance(1_000);
    expect(await again.take()).to.deep.equal(before);
    const [, gone] = all;
    await again.commit(1, gone === undefined ? [] : [gone], false);
    const third = await new Pool({}, pool.storage).start();
    await third.context.clock.advance(1_000);
    expect(await third.take(2)).to.deep.equal(before.filter((id) => id !== ids(gone ?? new Uint8Array(0))[0]));
  });

  it('X1: what cannot be written is not pending', async () => {
    const pool = await new Pool().start();
    pool.storage.beforeWrite = () => {
      throw failure('ERR_STORAGE_IO', 'the disk is gone');
    };
    const code = await pool.submit(transaction('a')).catch((error: unknown) => (error as { code?: string }).code);
    expect(code).to.equal('ERR_STORAGE_IO');
    expect(await pool.take()).to.deep.equal([]);
  });

  it('X3: a known id is answered with its state and changes nothing', async () => {
    const pool = await new Pool().start();
    const one = transaction('a');
    expect(await pool.submit(one, one)).to.deep.equal(['pending', 'pending']);
    const writes = pool.storage.writes;
    expect(await pool.submit(one)).to.deep.equal(['pending']);
    expect(pool.storage.writes).to.equal(writes);
    expect((await pool.role.status({})).count).to.equal(1);
    await pool.commit(1, [one]);
    expect(await pool.submit(one)).to.deep.equal(['committed']);
    const { entries } = await pool.role.get({ ids: [idOf(one), idOf(transaction('b'))] });
    expect(entries.map(({ state }) => state)).to.deep.equal(['committed', 'unknown']);
  });

  it('X4: rejects with its code what is wrong, too large, foreign, expired or over a limit', async () => {
    const pool = await new Pool({ maxCount: 3, maxPerSender: 2 }).start();
    const forged = Uint8Array.from(transaction('a'));
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    const foreign = transaction('a', 500, genesisOf('other'));
    const large = transaction('a', 500, genesisOf('one'), 'x'.repeat(3_000));
    expect(await pool.submit(forged, foreign, large, utf8('nonsense'))).to.deep.equal([
      'ERR_TX_SIGNATURE',
      'ERR_TX_DIFFERENT_NETWORK',
      'ERR_TX_TOO_LARGE',
      'ERR_TX_MALFORMED',
    ]);
    const codes = await pool.submit(transaction('a', 0), transaction('a', 5_000));
    expect(codes).to.deep.equal(['ERR_TX_EXPIRED', 'ERR_TX_EXPIRY_TOO_FAR']);
    expect(await pool.submit(transaction('a', 500, genesisOf('one'), 'bad'))).to.deep.equal(['ERR_TX_REFUSED']);
    const limited = await pool.submit(transaction('a'), transaction('a'), transaction('a'));
    expect(limited).to.deep.equal(['pending', 'pending', 'ERR_TXPOOL_SENDER_LIMIT']);
    expect(await pool.submit(transaction('b'), transaction('c'))).to.deep.equal(['pending', 'ERR_TXPOOL_FULL']);
    expect((await pool.role.status({})).full).to.equal(true);
  });

  it('X5, X6: a transaction leaves by its block or its expiry, and a lost event is made good by the store', async () => {
    const pool = await new Pool().start();
    const [a, b, c] = [transaction('a'), transaction('b'), transaction('c', 2)];
    await pool.submit(a, b, c);
    await pool.commit(1, [a], false);
    expect(await pool.take(2)).to.deep.equal(ids(b, c));
    await pool.commit(2, [b]);
    expect(await pool.take(3)).to.deep.equal([]);
    const told = pool.context.told(TxPool.events.rejected).flatMap(({ entries }) => entries.map(({ code }) => code));
    expect(told).to.deep.equal(['ERR_TX_EXPIRED']);
    expect((await pool.role.get({ ids: [idOf(c)] })).entries[0]?.code).to.equal('ERR_TX_EXPIRED');
    expect((await pool.role.status({})).bytes).to.equal(0);
  });

  it('X5: a change of network rejects what was signed for the one before', async () => {
    const pool = await new Pool().start();
    const one = transaction('a');
    await pool.submit(one);
    pool.genesis = genesisOf('other');
    const body = { genesis: Genesis.encode(pool.genesis), founder: false, candidate: new Uint8Array(0) };
    await pool.context.tell(P2p.events.founded, body);
    expect((await pool.role.get({ ids: [idOf(one)] })).entries[0]?.code).to.equal('ERR_TX_DIFFERENT_NETWORK');
  });

  it('X8: gives everything to every peer but the one it came from, and again where there was no room', async () => {
    const pool = await new Pool().start();
    const [mine, theirs] = [transaction('a'), transaction('b')];
    await pool.submit(mine);
    await pool.context.tell(Transport.events.asked, askOf(TransactionBatch.encode({ transactions: [theirs] })));
    await settle(20);
    const answer = PoolEntries.decode(pool.answered[0]?.body ?? new Uint8Array(0));
    expect(answer.entries.map(({ state }) => state)).to.deep.equal(['pending']);
    let full = true;
    pool.peer = (entries) =>
      full ? entries.map((entry) => ({ ...entry, state: 'rejected', code: 'ERR_TXPOOL_FULL' })) : entries;
    pool.sessions = ['p1', 'p2'];
    await pool.context.clock.advance(1_000);
    await settle(20);
    expect(new Set(pool.fetched.map(({ peer }) => peer))).to.deep.equal(new Set(['p1', 'p2']));
    full = false;
    pool.fetched.length = 0;
    await pool.context.clock.advance(2_000);
    await settle(20);
    const given = (peer: string): string[] =>
      pool.fetched
        .filter((one) => one.peer === peer)
        .flatMap(({ body }) => TransactionBatch.decode(body).transactions.map((one) => toHex(idOf(one))));
    expect(given('p1')).to.deep.equal(ids(mine));
    expect(given('p2')).to.deep.equal(ids(mine, theirs));
  });

  it('answers garbage of a peer with a code', async () => {
    const pool = await new Pool().start();
    await pool.context.tell(Transport.events.asked, askOf(utf8('garbage')));
    await settle(20);
    expect(pool.answered.map(({ errorCode }) => errorCode)).to.deep.equal(['ERR_DATA_MALFORMED']);
  });
});
