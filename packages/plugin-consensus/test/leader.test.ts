import { expect } from 'chai';
import {
  Consensus,
  Transport,
  decodeTransaction,
  nodeIdOf,
  sha256,
  signBytes,
  toHex,
  utf8,
  voteSigningBytes,
} from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import { decodeMessage, encodeMessage } from '@it-chain/plugin-consensus';
import { Cluster, idOf } from './support/cluster.js';

const NAMES = ['alice', 'bob', 'carol', 'dave'];
const FAST = { baseTimeoutMs: 1_000 };

const leads = async (cluster: Cluster, index: number): Promise<boolean> => {
  const statuses = await Promise.all([0, 1, 2, 3].map((one) => cluster.status(one)));
  return statuses.every(({ leader }) => nodeIdOf(leader) === idOf(cluster.node(index)));
};
const heightOf = (cluster: Cluster): number => Math.min(...cluster.nodes.map(({ chain }) => chain.tip.height));
/** Submits transactions one after the other, each once the one before is committed by all. */
async function commitSome(cluster: Cluster, count: number, done: () => boolean = () => false): Promise<void> {
  for (let number = 0; number < count && !done(); number += 1) {
    const before = heightOf(cluster);
    await cluster.submit(`some ${before} ${number}`);
    expect(await cluster.until(() => heightOf(cluster) > before)).to.equal(true);
  }
}
const creator = (cluster: Cluster): string => nodeIdOf(cluster.node(1).chain.tip.proposer);

describe('a leader whose rounds do not fail', () => {
  it('that censors is replaced within a few heights, and what it left out is committed', async () => {
    const cluster = new Cluster(NAMES, { ...FAST, complaint: { waitMs: 4_000 } });
    await cluster.start();
    await commitSome(cluster, 1);
    expect(await leads(cluster, 0)).to.equal(true);
    const censored = utf8('censored');
    cluster.node(0).chain.leavesOut = (transaction) => toHex(transaction) === toHex(censored);
    await cluster.submit('censored');
    const gone = (): boolean => [1, 2, 3].every((index) => !cluster.node(index).pool.has(toHex(censored)));
    // Others go through all the time: no round of the leader ever fails.
    for (let second = 0; second < 3; second += 1) {
      await commitSome(cluster, 1);
      await cluster.clock.advance(1_000);
    }
    expect(gone(), 'nobody complains before its time').to.equal(false);
    expect(creator(cluster)).to.equal(idOf(cluster.node(0)));
    for (let second = 0; second < 10 && !gone(); second += 1) {
      await commitSome(cluster, 1);
      await cluster.clock.advance(1_000);
    }
    expect(gone()).to.equal(true);
    expect(creator(cluster)).to.equal(idOf(cluster.node(1)));
    expect(await cluster.until(() => false, 2_000)).to.equal(false);
    expect(await leads(cluster, 1)).to.equal(true);
    for (const { context } of cluster.nodes) expect(context.fatals).to.deep.equal([]);
  });

  it('that censors the only transaction there is, is replaced too', async () => {
    const cluster = new Cluster(NAMES, FAST);
    await cluster.start();
    await commitSome(cluster, 1);
    cluster.node(0).chain.leavesOut = () => true;
    await cluster.submit('censored');
    const gone = (): boolean => [1, 2, 3].every((index) => cluster.node(index).pool.size === 0);
    expect(await cluster.until(gone, 40_000)).to.equal(true);
    expect(creator(cluster)).to.equal(idOf(cluster.node(1)));
  });

  it('that has needed a round above 0 three heights in a row is replaced', async () => {
    const cluster = new Cluster(NAMES, FAST);
    await cluster.start();
    await commitSome(cluster, 1);
    // Round 0 is prepared and never committed: the block of the leader is decided in round 1, so it stays the leader.
    cluster.filter = (_from, _to, body) => {
      const content = decodeMessage(body)?.content;
      return content?.kind !== 'commit' || content.vote.round > 0;
    };
    const replaced = (): boolean => creator(cluster) !== idOf(cluster.node(0));
    const before = heightOf(cluster);
    await commitSome(cluster, 8, replaced);
    expect(replaced()).to.equal(true);
    expect(heightOf(cluster) - before).to.be.greaterThan(3);
  });

  it('that takes more than half the timeout ten heights in a row is replaced', async () => {
    const cluster = new Cluster(NAMES, FAST);
    await cluster.start();
    await commitSome(cluster, 1);
    const firstTry = new Map<number, number>();
    cluster.filter = (_from, _to, body) => {
      const content = decodeMessage(body)?.content;
      if (content?.kind !== 'prepare') return true;
      const now = cluster.clock.monotonic();
      const since = firstTry.get(content.vote.height) ?? now;
      firstTry.set(content.vote.height, since);
      return now - since >= 600;
    };
    const replaced = (): boolean => creator(cluster) !== idOf(cluster.node(0));
    const before = heightOf(cluster);
    await commitSome(cluster, 20, replaced);
    expect(replaced()).to.equal(true);
    expect(heightOf(cluster) - before).to.be.greaterThan(9);
    // Replaced by complaint: no round of it had failed before.
    const rounds = cluster
      .node(1)
      .context.log.of('info')
      .filter((message) => message === 'a round took too long');
    expect(rounds).to.have.length(0);
  });

  it('leads for its term, and everybody knows the next one', async () => {
    for (const term of [1, 3]) {
      const cluster = new Cluster(NAMES, FAST, 4, 'skip-two', term);
      await cluster.start();
      const creators = new Map<number, string>();
      while (heightOf(cluster) < 12) {
        await commitSome(cluster, 1);
        for (const { height, proposer } of cluster.node(2).chain.tips) creators.set(height, nodeIdOf(proposer));
      }
      let index = 0;
      for (let height = 1; height <= 12; height += 1) {
        if (height % term === 0) index = (index + 1) % 4;
        expect(creators.get(height), `height ${height} of term ${term}`).to.equal(idOf(cluster.node(index)));
      }
    }
  });
});

describe('evidence', () => {
  /** Dave signs two votes of each round of the open height. */
  async function equivocate(cluster: Cluster, rounds: number): Promise<void> {
    const alice = cluster.node(0);
    const dave = cluster.node(3);
    const height = alice.chain.tip.height + 1;
    for (let round = 0; round < rounds; round += 1) {
      for (const text of ['one', 'two']) {
        const digest = sha256(utf8(text));
        const content = { type: 'prepare', height, round, digest } as const;
        const { publicKey, secretKey } = dave.context.keys;
        const signature = signBytes(voteSigningBytes(cluster.network, content), secretKey);
        const vote = { ...content, signer: publicKey, signature };
        const body = encodeMessage({ kind: 'prepare', vote }, cluster.network, 0);
        await alice.context.tell(Transport.events.received, { from: idOf(dave), publicKey, kind: 'consensus', body });
        await settle(20);
      }
    }
  }
  const kept = async (cluster: Cluster): ReturnType<Consensus['evidence']> =>
    cluster.node(0).context.servedRole(Consensus).evidence({});

  it('is made a transaction that accuses the signer, once, where the config says so', async () => {
    for (const enabled of [true, false]) {
      const cluster = new Cluster(NAMES, { ...FAST, accuse: { enabled, retryMs: 60_000 } });
      await cluster.start();
      await equivocate(cluster, 1);
      await cluster.clock.advance(10_000);
      const accusations = cluster.node(0).submitted.flatMap((encoded) => {
        const { membership } = decodeTransaction(encoded).value;
        return membership?.accuse === undefined ? [] : [membership.accuse.evidence];
      });
      const { entries } = await kept(cluster);
      expect(entries).to.have.length(1);
      expect(accusations).to.deep.equal(enabled ? [entries[0]?.evidence] : []);
    }
  });

  it('of two votes is kept over a restart, once, and a few of each validator', async () => {
    const cluster = new Cluster(NAMES, { ...FAST, limits: { maxEvidenceEach: 2 } });
    await cluster.start();
    await equivocate(cluster, 1);
    const { entries } = await kept(cluster);
    expect(entries).to.have.length(1);
    const [{ evidence, seen } = { evidence: undefined, seen: 0 }] = entries;
    expect(toHex(evidence?.publicKey ?? new Uint8Array(0))).to.equal(toHex(cluster.node(3).context.identity.publicKey));
    expect([evidence?.type, evidence?.height, evidence?.round, seen]).to.deep.equal([
      'prepare',
      1,
      0,
      cluster.clock.now(),
    ]);
    await cluster.stop(0);
    await cluster.start(0);
    expect(await kept(cluster)).to.deep.equal({ entries });
    for (let more = 0; more < 3; more += 1) {
      await commitSome(cluster, 1);
      await equivocate(cluster, 3);
    }
    expect((await kept(cluster)).entries).to.have.length(2);
    // It lies above the log, which is cleared by commits and read from its end at a start.
    await commitSome(cluster, 2);
    await cluster.stop(0);
    await cluster.start(0);
    expect((await kept(cluster)).entries).to.have.length(2);
    expect((await cluster.status(0)).waiting).to.equal('');
    await commitSome(cluster, 1);
  });
});

describe('who is missing', () => {
  it('is told with the time since when, and when it was heard last', async () => {
    const cluster = new Cluster(NAMES, FAST);
    await cluster.start();
    await commitSome(cluster, 1);
    const heard = cluster.clock.now();
    await cluster.clock.advance(5_000);
    await cluster.stop(3);
    const gone = cluster.clock.now();
    await cluster.clock.advance(10_000);
    const { views } = await cluster.node(0).context.servedRole(Consensus).status({});
    const of = (index: number) =>
      views.find(({ publicKey }) => toHex(publicKey) === toHex(cluster.node(index).context.identity.publicKey));
    expect(views).to.have.length(4);
    expect(of(3)).to.include({ present: false });
    expect(of(3)?.missingSince).to.be.within(gone, gone + 1_500);
    expect(of(3)?.seen).to.be.within(heard, gone);
    for (const index of [0, 1, 2]) expect(of(index)).to.include({ present: true, missingSince: 0 });
    await cluster.start(3);
    await cluster.clock.advance(2_000);
    const again = (await cluster.node(0).context.servedRole(Consensus).status({})).views;
    expect(again.every(({ present, missingSince }) => present === true && missingSince === 0)).to.equal(true);
  });
});
