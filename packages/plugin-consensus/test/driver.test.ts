import { expect } from 'chai';
import { Consensus, Transport, VOTE_TYPES, decodeTransaction, sameBytes, toHex, utf8 } from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import { decodeMessage, encodeMessage } from '@it-chain/plugin-consensus';
import { Cluster, idOf } from './support/cluster.js';

const heights = (cluster: Cluster): number[] => cluster.nodes.map(({ chain }) => chain.tip.height);
const noFatal = (cluster: Cluster): void => {
  for (const { context } of cluster.nodes) expect(context.fatals).to.deep.equal([]);
};

/** Four validators of which the last is not up while the others commit so many transactions, each by itself. */
async function withoutDave(transactions: number): Promise<{ readonly cluster: Cluster; readonly target: number }> {
  const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
  await cluster.start(0, 1, 2);
  for (let turn = 0; turn < transactions; turn += 1) {
    await cluster.submit(`tx ${turn}`, 0, 1, 2);
    await cluster.until(() => cluster.node(0).pool.size === 0);
  }
  return { cluster, target: cluster.node(0).chain.tip.height };
}

describe('the driver', () => {
  it('a lone validator commits at once, without time passing and without a peer', async () => {
    const cluster = new Cluster(['alice']);
    await cluster.start();
    await cluster.submit('tx');
    await settle(100);
    expect(cluster.node(0).chain.tip.height).to.equal(2); // the transaction, and the empty block that certifies its root
    expect(cluster.node(0).pool.size).to.equal(0);
    noFatal(cluster);
  });

  it('a lone validator commits after every restart', async () => {
    const cluster = new Cluster(['alice']);
    for (let turn = 0; turn < 5; turn += 1) {
      await cluster.start(0);
      await cluster.submit(`tx ${turn}`);
      await settle(100);
      expect(cluster.node(0).pool.size, `turn ${turn}`).to.equal(0);
      await cluster.stop(0);
    }
    noFatal(cluster);
  });

  it('Q5: without work there are no blocks', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    await cluster.start();
    await cluster.clock.advance(60_000);
    expect(heights(cluster)).to.deep.equal([0, 0, 0, 0]);
    for (let index = 0; index < 4; index += 1) expect((await cluster.status(index)).round).to.equal(0);
  });

  it('four validators commit the same block, and say who leads', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    await cluster.start();
    await cluster.submit('tx');
    expect(await cluster.until(() => heights(cluster).every((height) => height === 2))).to.equal(true);
    expect(new Set(cluster.nodes.map(({ chain }) => toHex(chain.tip.digest))).size).to.equal(1);
    const told = cluster.node(3).context.told(Consensus.events.round).at(-1);
    expect(told?.height).to.equal(3);
    expect(sameBytes(told?.leader ?? new Uint8Array(0), cluster.node(0).context.keys.publicKey)).to.equal(true);
    noFatal(cluster);
  });

  it('a dead leader is replaced, and everybody says the same', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    await cluster.start();
    await cluster.stop(0);
    await cluster.submit('tx', 1, 2, 3);
    const done = (): boolean =>
      heights(cluster)
        .slice(1)
        .every((height) => height >= 2);
    expect(await cluster.until(done)).to.equal(true);
    const leaders = await Promise.all([1, 2, 3].map(async (index) => toHex((await cluster.status(index)).leader)));
    expect(new Set(leaders).size).to.equal(1);
    expect(leaders[0]).to.equal(toHex(cluster.node(1).context.keys.publicKey));
  });

  it('an idle network replaces a dead leader too', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    await cluster.start();
    await cluster.stop(0);
    const led = (): boolean => sameBytes(cluster.node(2).chain.tip.proposer, cluster.node(1).context.keys.publicKey);
    expect(await cluster.until(led)).to.equal(true);
  });

  it('a validator that comes late catches up by certificates', async () => {
    const { cluster, target } = await withoutDave(12);
    expect(target).to.be.greaterThan(12);
    await cluster.start(3);
    expect(await cluster.until(() => cluster.node(3).chain.tip.height >= target)).to.equal(true);
    // Each block is told as committed: a power cut must not take one back.
    expect(cluster.nodes.map(({ chain }) => chain.unsynced)).to.deep.equal([0, 0, 0, 0]);
  });

  it('does not ask on every block of a range for the next ones: they are under way', async () => {
    const { cluster, target } = await withoutDave(20);
    let asked = 0;
    cluster.filter = (from, _to, body) => {
      if (from === cluster.node(3) && decodeMessage(body)?.content.kind === 'status') asked += 1;
      return true;
    };
    await cluster.start(3);
    expect(await cluster.until(() => cluster.node(3).chain.tip.height >= target)).to.equal(true);
    // Three when it connects, and those of the last blocks.
    expect(asked).to.be.lessThan(target / 2);
  });

  it('a node that does not vote follows', async () => {
    const cluster = new Cluster(['alice', 'observer'], {}, 1);
    await cluster.start();
    await cluster.clock.advance(1_100);
    await cluster.submit('tx', 0);
    expect(await cluster.until(() => cluster.node(1).chain.tip.height === 2)).to.equal(true);
    expect((await cluster.status(1)).validator).to.equal(false);
  });

  it('a node that does not vote and has missed a block asks for it when it is told a later one', async () => {
    const cluster = new Cluster(['alice', 'observer'], {}, 1);
    await cluster.start();
    await cluster.clock.advance(1_100);
    let missed = false;
    cluster.filter = (_from, _to, body) => {
      const message = decodeMessage(body);
      if (message?.content.kind !== 'decided' || message.content.certificate.height > 1) return true;
      missed = true;
      return false;
    };
    // Of the blocks 1 to 4 the first is missing: with the second it can do nothing yet, the third says that it is behind.
    for (const text of ['tx 1', 'tx 2']) {
      await cluster.submit(text, 0);
      await cluster.clock.advance(20);
    }
    expect(missed).to.equal(true);
    expect(heights(cluster)).to.deep.equal([4, 4]);
  });

  it('waits for founding, and begins when it happens', async () => {
    const cluster = new Cluster(['alice']);
    cluster.founded = false;
    await cluster.start();
    expect((await cluster.status(0)).waiting).to.equal('this node belongs to no network yet');
    await cluster.submit('tx');
    await cluster.clock.advance(5_000);
    expect(cluster.node(0).chain.tip.height).to.equal(0);
    cluster.founded = true;
    expect(await cluster.until(() => cluster.node(0).chain.tip.height === 2)).to.equal(true);
  });

  it('opens the network as soon as p2p serves, not with the next poll', async () => {
    const cluster = new Cluster(['alice']);
    cluster.p2pServes = false;
    await cluster.start();
    await cluster.submit('tx');
    await cluster.clock.advance(250);
    cluster.p2pServes = true;
    await cluster.clock.advance(150);
    await settle(100);
    expect(cluster.node(0).chain.tip.height).to.equal(2);
  });

  it('works on when every event is lost: the poll sees transactions and sessions', async () => {
    const cluster = new Cluster(['alice', 'bob']);
    await cluster.start();
    cluster.node(0).pool.set(toHex(utf8('silent')), utf8('silent'));
    expect(await cluster.until(() => heights(cluster).every((height) => height === 2))).to.equal(true);
  });

  it('a vote is on disk before it is sent, and what cannot be written is not sent', async () => {
    const cluster = new Cluster(['alice', 'bob']);
    await cluster.start();
    let sent = 0;
    cluster.filter = (from, _to, body) => {
      const content = decodeMessage(body)?.content;
      if (content !== undefined && 'vote' in content) {
        sent += 1;
        expect(from.storage.writes).to.be.greaterThan(0);
      }
      return true;
    };
    const failing = { on: true };
    for (const { storage } of cluster.nodes) {
      storage.beforeWrite = () => {
        if (failing.on) throw new Error('the bus is slow today');
      };
    }
    await cluster.submit('tx');
    await cluster.clock.advance(5_000);
    expect(sent).to.equal(0);
    failing.on = false;
    expect(await cluster.until(() => heights(cluster).every((height) => height >= 2))).to.equal(true);
    expect(sent).to.be.greaterThan(0);
  });

  it('restarts in the middle of a height from its log, and sends what it signed again', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    // Nobody hears a COMMIT: the height stays open with a prepared block.
    cluster.filter = (_from, _to, body) => decodeMessage(body)?.content.kind !== 'commit';
    await cluster.start();
    await cluster.submit('tx');
    await cluster.clock.advance(500);
    const guards = cluster.nodes.map(({ guard }) => guard.size);
    expect(guards.every((size) => size >= 2)).to.equal(true);
    for (let index = 0; index < 4; index += 1) await cluster.stop(index);
    cluster.filter = () => true;
    await cluster.start();
    expect(await cluster.until(() => heights(cluster).every((height) => height === 2))).to.equal(true);
    noFatal(cluster);
  });

  it('a gap in the log stops the node with a clear error; a torn tail does not', async () => {
    for (const [damage, fatal] of [
      ['first', true],
      ['last', false],
    ] as const) {
      const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
      cluster.filter = (_from, _to, body) => decodeMessage(body)?.content.kind !== 'commit';
      await cluster.start();
      await cluster.submit('tx');
      await cluster.clock.advance(500);
      await cluster.stop(0);
      const { storage } = cluster.node(0);
      const page = await storage.range({
        namespace: 'wal',
        from: new Uint8Array(0),
        limit: 0,
        maxBytes: 0,
        reverse: false,
      });
      const sorted = [...page.entries].sort((a, b) => (a.key.at(-1) ?? 0) - (b.key.at(-1) ?? 0));
      const chosen = damage === 'first' ? sorted[0] : sorted.at(-1);
      if (chosen === undefined) throw new Error('the log is empty');
      const write =
        damage === 'first'
          ? { namespace: 'wal' as const, key: chosen.key }
          : { namespace: 'wal' as const, key: chosen.key, value: chosen.value.subarray(0, 20) };
      await storage.write({ writes: [write], when: [], sync: true, writer: '', sequence: 0 });
      await cluster.start(0);
      await settle(50);
      const codes = cluster
        .node(0)
        .context.fatals.map(({ kind, error }) => `${kind} ${(error as { code?: string }).code ?? ''}`);
      if (fatal) expect(codes[0]).to.equal('damaged ERR_CONSENSUS_LOG_DAMAGED');
      else expect(codes).to.deep.equal([]);
    }
  });

  it('a node whose log was lost stays silent while peers hold its votes, and says so', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    cluster.filter = (_from, _to, body) => decodeMessage(body)?.content.kind !== 'commit';
    await cluster.start();
    await cluster.submit('tx');
    await cluster.clock.advance(500);
    await cluster.stop(3);
    const { storage, guard } = cluster.node(3);
    const page = await storage.range({
      namespace: 'wal',
      from: new Uint8Array(0),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    const writes = page.entries.map(({ key }) => ({ namespace: 'wal' as const, key }));
    await storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    guard.clear();
    const before = new Map(guard);
    await cluster.start(3);
    await cluster.clock.advance(300);
    expect((await cluster.status(3)).waiting).to.contain('does not vote');
    expect(cluster.node(3).context.lastHealth.state).to.equal('degraded');
    cluster.filter = () => true;
    // The others decide without it; then it votes again.
    expect(await cluster.until(() => heights(cluster).every((height) => height >= 2))).to.equal(true);
    for (const slot of guard.keys()) expect(before.has(slot) || !slot.startsWith('1/')).to.equal(true);
    await cluster.submit('later');
    expect(await cluster.until(() => heights(cluster).every((height) => height >= 4))).to.equal(true);
    expect(cluster.node(3).context.lastHealth.state).to.equal('ok');
  });

  it('garbage, strangers and forged votes are dropped, and their sender loses its session', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave', 'eve'], {}, 4);
    await cluster.start();
    const alice = cluster.node(0);
    const eve = cluster.node(4);
    const say = (body: Uint8Array, from = eve): Promise<void> =>
      alice.context.tell(Transport.events.received, {
        from: idOf(from),
        publicKey: from.context.keys.publicKey,
        kind: 'consensus',
        body,
      });
    for (let turn = 0; turn < 10; turn += 1) await say(new Uint8Array([255, turn, 1, 2, 3]));
    await settle(20);
    expect(alice.banned).to.deep.equal([idOf(eve)]);
    const dave = cluster.node(3);
    for (const type of VOTE_TYPES.slice(2, 4) as readonly ('prepare' | 'commit')[]) {
      const vote = {
        type,
        height: 1,
        round: 0,
        digest: new Uint8Array(32),
        signer: dave.context.keys.publicKey,
        signature: new Uint8Array(64),
      };
      for (let turn = 0; turn < 3; turn += 1) await say(encodeMessage({ kind: type, vote }, cluster.network, 0), dave);
    }
    await settle(20);
    expect(alice.banned).to.include(idOf(dave));
    await cluster.submit('tx', 0, 1, 2);
    expect(
      await cluster.until(() =>
        heights(cluster)
          .slice(0, 3)
          .every((height) => height >= 2),
      ),
    ).to.equal(true);
    noFatal(cluster);
  });

  it('a second certified block of a committed height ends the process as a safety violation', async () => {
    const cluster = new Cluster(['alice', 'observer'], {}, 1);
    await cluster.start(0);
    await cluster.submit('one', 0);
    await cluster.until(() => cluster.node(0).chain.tip.height === 2);
    const other = new Cluster(['alice', 'observer'], {}, 1);
    await other.start(0);
    await other.submit('two', 0);
    await other.until(() => other.node(0).chain.tip.height === 2);
    // The same key decided otherwise elsewhere: the observer has one chain and is shown the other.
    cluster.node(1).chain.blocks.push(...cluster.node(0).chain.blocks);
    cluster.node(1).chain.tips.push(...cluster.node(0).chain.tips.slice(1));
    cluster.node(0).chain.blocks.splice(0, 2, ...other.node(0).chain.blocks);
    cluster.node(0).chain.tips.splice(1, 2, ...other.node(0).chain.tips.slice(1));
    await cluster.stop(0);
    await cluster.start(0, 1);
    await cluster.clock.advance(3_000);
    const codes = cluster.nodes.flatMap(({ context }) =>
      context.fatals.map(({ kind, error }) => `${kind} ${(error as { code?: string }).code ?? ''}`),
    );
    expect(codes).to.include('safety ERR_SAFETY_VIOLATION');
  });

  it('the leader proposes two caught-up learners at once under skip-two, and not again while that is pending', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol'], { promotion: { healthyMs: 2_000 } }, 1);
    const learners = [1, 2].map((index) => ({
      publicKey: cluster.node(index).context.keys.publicKey,
      name: '',
      sequence: index,
    }));
    for (const { chain } of cluster.nodes) chain.tips[0] = { ...chain.tip, learners: learners.slice(0, 1) };
    await cluster.start();
    await cluster.clock.advance(6_000);
    expect(cluster.node(0).submitted).to.have.length(0);
    for (const index of [0, 1, 2]) await cluster.stop(index);
    for (const { chain } of cluster.nodes) chain.tips[0] = { ...chain.tip, learners };
    await cluster.start();
    await cluster.clock.advance(10_000);
    const [transaction, ...more] = cluster.node(0).submitted;
    expect(more).to.have.length(0);
    const keys = decodeTransaction(transaction ?? new Uint8Array(0)).value.membership?.promote?.publicKeys ?? [];
    expect(keys.map(toHex)).to.deep.equal(learners.map(({ publicKey }) => toHex(publicKey)));
    expect(cluster.node(1).submitted).to.have.length(0);
  });

  it('says in one sentence what it waits for', async () => {
    const cluster = new Cluster(['alice', 'bob', 'carol', 'dave']);
    await cluster.start(0, 1);
    await cluster.submit('tx', 0, 1);
    await cluster.clock.advance(5_000);
    const { waiting } = await cluster.status(0);
    expect(waiting).to.contain('needs 3 of 4 validators and 2 are connected');
    expect(waiting).to.contain(idOf(cluster.node(2)));
  });
});
