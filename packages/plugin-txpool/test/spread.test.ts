import { expect } from 'chai';
import { PoolEntries, TransactionBatch, Transport, toHex, utf8 } from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import { PoolFixture, genesisOf, idOf, transaction } from './fixture.js';

const hexes = (list: readonly Uint8Array[]): string[] => list.map((one) => toHex(one));
const batch = (...transactions: Uint8Array[]): Uint8Array => TransactionBatch.encode({ transactions });

describe('spreading', () => {
  it('X8: pooled transactions reach every connected member, also one that comes later', async () => {
    const fixture = await new PoolFixture().start();
    await fixture.connect('bob');
    const sent = [transaction('a'), transaction('b')];
    for (const one of sent) await fixture.submit(one);
    await settle();
    expect(hexes(fixture.given('bob'))).to.deep.equal(hexes(sent));
    await fixture.connect('carol');
    expect(hexes(fixture.given('carol'))).to.deep.equal(hexes(sent));
    expect(fixture.given('bob')).to.have.length(2);
  });

  it('X8: a batch that is not acknowledged is given again, with growing pauses', async () => {
    const fixture = await new PoolFixture().start();
    const answer = fixture.peer;
    fixture.peer = () => {
      throw new Error('lost');
    };
    await fixture.connect('bob');
    await fixture.submit(transaction('a'));
    await settle();
    expect(fixture.sent).to.have.length(1);
    await fixture.clock.advance(501);
    expect(fixture.sent).to.have.length(2);
    await fixture.clock.advance(501);
    expect(fixture.sent).to.have.length(2);
    fixture.peer = answer;
    await fixture.clock.advance(501);
    expect(fixture.sent).to.have.length(3);
    await fixture.clock.advance(60_000);
    expect(fixture.sent).to.have.length(3);
  });

  it('X8: what a full peer refused is given again later, and does not hold up the rest', async () => {
    const fixture = await new PoolFixture({ spread: { maxCount: 2 } }).start();
    const sent = ['a', 'b', 'c', 'd'].map((sender) => transaction(sender));
    await fixture.submit(...sent);
    let full = true;
    fixture.peer = ({ transactions }) =>
      transactions.map((encoded) =>
        full && toHex(encoded) === toHex(sent[1] ?? encoded)
          ? { id: idOf(encoded), state: 'rejected', code: 'ERR_TXPOOL_SENDER_LIMIT', reason: '' }
          : { id: idOf(encoded), state: 'pending', code: '', reason: '' },
      );
    await fixture.connect('bob');
    expect(hexes(fixture.given('bob'))).to.deep.equal(hexes(sent));
    full = false;
    await fixture.clock.advance(30_001);
    expect(hexes(fixture.given('bob').slice(4))).to.include(toHex(sent[1] ?? new Uint8Array(0)));
    const given = fixture.sent.length;
    await fixture.clock.advance(120_000);
    expect(fixture.sent.length).to.equal(given);
  });

  it('keeps batches within their limits, and one under way per peer', async () => {
    const fixture = await new PoolFixture({ spread: { maxCount: 3, maxBytes: 1_024 } }).start();
    await fixture.submit(...Array.from({ length: 10 }, () => transaction('a')));
    await fixture.submit(
      transaction('a', { payload: new Uint8Array(900) }),
      transaction('a', { payload: new Uint8Array(900) }),
    );
    await fixture.connect('bob');
    expect(fixture.sent.map(({ transactions }) => transactions.length)).to.deep.equal([3, 3, 3, 1, 1, 1]);
    for (const { transactions } of fixture.sent) {
      const size = transactions.reduce((sum, one) => sum + one.length, 0);
      expect(transactions.length === 1 || size <= 1_024).to.equal(true);
    }
  });

  it('waits for the acknowledgement of one batch before it gives the next', async () => {
    const fixture = await new PoolFixture().start();
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let underWay = 0;
    let most = 0;
    fixture.hold = async () => {
      most = Math.max(most, (underWay += 1));
      await gate;
      underWay -= 1;
    };
    await fixture.connect('bob');
    for (let more = 0; more < 5; more += 1) await fixture.submit(transaction('a'));
    await settle();
    open();
    await settle();
    expect(most).to.equal(1);
    expect(fixture.sent.map(({ transactions }) => transactions.length)).to.deep.equal([1, 4]);
  });

  it('works on two batches of a peer at once, and tells it to wait with more', async () => {
    const fixture = await new PoolFixture().start();
    const write = fixture.storage.write.bind(fixture.storage);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    fixture.storage.write = async (request) => {
      await gate;
      return write(request);
    };
    const ask = (requestId: string): Promise<void> =>
      fixture.context.tell(Transport.events.asked, {
        from: 'bob',
        publicKey: new Uint8Array(32),
        requestId,
        kind: 'transactions',
        body: batch(transaction('a')),
      });
    for (const one of ['1', '2', '3']) await ask(one);
    await settle();
    expect(fixture.answered.map(({ requestId, errorCode }) => [requestId, errorCode])).to.deep.equal([
      ['3', 'ERR_PEER_BUSY'],
    ]);
    open();
    await settle();
    expect(fixture.answered.map(({ requestId }) => requestId).sort()).to.deep.equal(['1', '2', '3']);
  });

  it('never gives a transaction back to the peer it came from, and passes it on to the others after a while', async () => {
    const fixture = await new PoolFixture().start();
    await fixture.connect('bob');
    await fixture.connect('carol');
    const sent = transaction('a');
    const { body } = await fixture.ask('bob', batch(sent));
    expect(PoolEntries.decode(body).entries.map(({ state }) => state)).to.deep.equal(['pending']);
    expect(fixture.sent).to.deep.equal([]);
    await fixture.clock.advance(6_500);
    expect(hexes(fixture.given('carol'))).to.deep.equal(hexes([sent]));
    expect(fixture.given('bob')).to.deep.equal([]);
  });

  it('does not pass on what was committed meanwhile', async () => {
    const fixture = await new PoolFixture().start();
    await fixture.connect('carol');
    const sent = transaction('a');
    await fixture.ask('bob', batch(sent));
    await fixture.commit(1, [sent]);
    await fixture.clock.advance(10_000);
    expect(fixture.sent).to.deep.equal([]);
  });

  it('finds a session whose event was lost', async () => {
    const fixture = await new PoolFixture().start();
    await fixture.submit(transaction('a'));
    fixture.sessions.push('dave');
    await fixture.clock.advance(6_000);
    expect(fixture.given('dave')).to.have.length(1);
    fixture.sessions.length = 0;
    await fixture.clock.advance(6_000);
    await fixture.submit(transaction('a'));
    await settle();
    expect(fixture.given('dave')).to.have.length(1);
  });

  it('gives everything again to a peer that comes back', async () => {
    const fixture = await new PoolFixture().start();
    await fixture.submit(transaction('a'));
    await fixture.connect('bob');
    await fixture.context.tell(Transport.events.disconnected, { nodeId: 'bob', code: '', reason: '' });
    await fixture.submit(transaction('a'));
    await settle();
    expect(fixture.given('bob')).to.have.length(1);
    await fixture.connect('bob');
    expect(fixture.given('bob')).to.have.length(3);
  });

  it('answers garbage of a peer with a code, and ends the session of one that forges', async () => {
    const fixture = await new PoolFixture({ spread: { maxStrikes: 3 } }).start();
    expect((await fixture.ask('eve', utf8('garbage'))).errorCode).to.equal('ERR_DATA_MALFORMED');
    const forged = Array.from({ length: 4 }, () => {
      const copy = Uint8Array.from(transaction('a'));
      copy[copy.length - 40] = (copy[copy.length - 40] ?? 0) ^ 1;
      return copy;
    });
    const { body } = await fixture.ask('eve', batch(...forged));
    expect(PoolEntries.decode(body).entries.map(({ code }) => code)).to.deep.equal(Array(4).fill('ERR_TX_SIGNATURE'));
    expect(fixture.disconnected).to.deep.equal(['eve']);
    expect((await fixture.ask('bob', batch(transaction('a', { genesis: genesisOf('two') })))).errorCode).to.equal('');
    expect(fixture.disconnected).to.deep.equal(['eve']);
  });
});
