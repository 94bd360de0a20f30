import { expect } from 'chai';
import {
  Certificate,
  Consensus,
  Transport,
  certificateChecks,
  decodeTransaction,
  majorityOf,
  sameBytes,
  toHex,
  utf8,
} from '@it-chain/contracts';
import { ConsensusCluster, settle, type ConsensusClusterNode } from '@it-chain/testkit';
import raftPlugin, { RAFT_KIND, RaftConfig, decodeMessage, encodeMessage } from '@it-chain/plugin-raft';

const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin'];
const clusterOf = (
  count: number,
  more: { readonly validators?: number; readonly config?: Record<string, unknown> } = {},
): ConsensusCluster<RaftConfig> =>
  new ConsensusCluster(raftPlugin, RaftConfig.parse(more.config ?? {}), NAMES.slice(0, count), {
    quorum: majorityOf,
    validators: more.validators ?? count,
  });
const heights = (cluster: ConsensusCluster<RaftConfig>): number[] => cluster.nodes.map(({ chain }) => chain.tip.height);
const idOf = (node: ConsensusClusterNode): string => node.context.identity.nodeId;
const noFatal = (cluster: ConsensusCluster<RaftConfig>): void => {
  for (const { context } of cluster.nodes) expect(context.fatals).to.deep.equal([]);
};

describe('the Raft driver', function () {
  this.timeout(60_000);

  it('a lone validator commits at once', async () => {
    const cluster = clusterOf(1);
    await cluster.start();
    await cluster.submit('tx');
    expect(await cluster.until(() => cluster.node(0).chain.tip.height === 2)).to.equal(true);
    expect(cluster.node(0).pool.size).to.equal(0);
    noFatal(cluster);
  });

  for (const count of [3, 4, 5]) {
    it(`${count} validators commit the same block with the signatures of a majority, and say who leads`, async () => {
      const cluster = clusterOf(count);
      await cluster.start();
      await cluster.submit('tx');
      expect(await cluster.until(() => heights(cluster).every((height) => height === 2))).to.equal(true);
      expect(new Set(cluster.nodes.map(({ chain }) => toHex(chain.tip.digest))).size).to.equal(1);
      const { context, chain } = cluster.node(count - 1);
      const certificate = Certificate.decode(chain.blocks[0]?.certificate ?? new Uint8Array(0));
      expect(certificate.seals.length).to.be.at.least(majorityOf(count));
      const checks = certificateChecks(certificate, cluster.network, cluster.set, certificate.digest, majorityOf);
      expect((await context.verify(checks)).every(Boolean)).to.equal(true);
      const told = context.told(Consensus.events.round).at(-1);
      expect(told?.height).to.equal(3);
      expect(sameBytes(told?.leader ?? new Uint8Array(0), cluster.node(0).context.keys.publicKey)).to.equal(true);
      noFatal(cluster);
    });
  }

  it('Q5: without work there are no blocks', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    await cluster.clock.advance(60_000);
    expect(heights(cluster)).to.deep.equal([0, 0, 0]);
  });

  it('a dead leader is replaced, by one that all name', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    await cluster.stop(0);
    await cluster.submit('tx', 1, 2);
    const done = (): boolean =>
      heights(cluster)
        .slice(1)
        .every((height) => height >= 2);
    expect(await cluster.until(done)).to.equal(true);
    const leaders = await Promise.all([1, 2].map(async (index) => toHex((await cluster.status(index)).leader)));
    expect(new Set(leaders).size).to.equal(1);
    expect(leaders[0]).to.not.equal(toHex(cluster.node(0).context.keys.publicKey));
    noFatal(cluster);
  });

  it('an idle network replaces a dead leader, too', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    await cluster.stop(0);
    const led = (): boolean => !sameBytes(cluster.node(2).chain.tip.proposer, cluster.node(0).context.keys.publicKey);
    expect(await cluster.until(led)).to.equal(true);
  });

  it('Q4: a validator that comes late, and a node that does not vote, catch up by certificates', async () => {
    const cluster = clusterOf(4, { validators: 3 });
    await cluster.start(0, 1);
    for (const text of ['a', 'b', 'c']) {
      await cluster.submit(text, 0, 1);
      expect(await cluster.until(() => cluster.node(0).pool.size === 0 && cluster.node(1).pool.size === 0)).to.equal(
        true,
      );
    }
    await cluster.start(2, 3);
    const target = cluster.node(0).chain.tip.height;
    expect(target).to.be.at.least(3);
    expect(await cluster.until(() => heights(cluster).every((height) => height >= target))).to.equal(true);
    expect((await cluster.status(3)).validator).to.equal(false);
    // Each block is told as committed: a power cut must not take one back.
    expect(cluster.nodes.map(({ chain }) => chain.unsynced)).to.deep.equal([0, 0, 0, 0]);
    noFatal(cluster);
  });

  it('a peer that names a great height and never gives a block holds no decision up', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    const [target, boaster] = [cluster.node(1), cluster.node(2)];
    cluster.withholding.add(idOf(boaster));
    const { publicKey } = boaster.context.identity;
    const body = encodeMessage({ kind: 'status', height: 1_000 }, cluster.network);
    await target.context.tell(Transport.events.received, { from: idOf(boaster), publicKey, kind: RAFT_KIND, body });
    await settle(20);
    await cluster.submit('tx');
    expect(await cluster.until(() => heights(cluster).every((height) => height === 2))).to.equal(true);
    noFatal(cluster);
  });

  it('Q3: restarts in the middle of a height from its log, and goes on with the block that it accepted', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    // Nobody's acknowledgement arrives: everybody has accepted, nothing is decided.
    cluster.filter = (_from, _to, body) => decodeMessage(body, toHex(cluster.network))?.kind !== 'ack';
    await cluster.submit('tx');
    await cluster.clock.advance(100);
    const accepted = cluster.node(1).guard.get('1/0/commit');
    expect(accepted).to.match(/^[0-9a-f]{64}$/);
    await cluster.stop(0);
    await cluster.stop(1);
    cluster.filter = () => true;
    await cluster.start(1);
    await cluster.submit('another', 1, 2);
    expect(await cluster.until(() => [1, 2].every((index) => cluster.node(index).chain.tip.height >= 2))).to.equal(
      true,
    );
    expect(toHex(cluster.node(1).chain.tips[1]?.digest ?? new Uint8Array(0))).to.equal(accepted);
    noFatal(cluster);
  });

  it('what cannot be written is not said', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    const said: string[] = [];
    cluster.filter = (from, _to, body) => {
      said.push(`${from.name} ${decodeMessage(body, toHex(cluster.network))?.kind ?? 'nothing'}`);
      return true;
    };
    const wal = cluster.node(1).storage;
    wal.beforeWrite = ({ writes }) => {
      if (writes.some(({ namespace, value }) => namespace === 'wal' && value !== undefined)) throw new Error('not now');
    };
    await cluster.submit('tx');
    await cluster.clock.advance(1_000);
    expect(said.filter((one) => one === 'bob ack')).to.deep.equal([]);
    expect(said.filter((one) => one === 'carol ack')).to.not.deep.equal([]);
    wal.beforeWrite = undefined;
    expect(await cluster.until(() => heights(cluster).every((height) => height >= 2))).to.equal(true);
  });

  it('a damaged log stops the node with a clear error', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    cluster.filter = () => false;
    await cluster.submit('tx', 0);
    await cluster.clock.advance(100);
    await cluster.stop(0);
    const { storage } = cluster.node(0);
    const page = await storage.range({ namespace: 'wal', from: utf8(''), limit: 0, maxBytes: 0, reverse: false });
    const [entry] = page.entries;
    if (entry === undefined) throw new Error('the log is empty');
    const value = Uint8Array.from(entry.value);
    value[20] = (value[20] ?? 0) ^ 1;
    await storage.write({
      writes: [{ namespace: 'wal', key: entry.key, value }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    await cluster.start(0);
    await settle(20);
    expect(
      cluster.node(0).context.fatals.map(({ kind, error }) => [kind, (error as { code?: string }).code]),
    ).to.deep.equal([['damaged', 'ERR_CONSENSUS_LOG_DAMAGED']]);
  });

  it('a peer that sends garbage, or signatures that do not hold, loses its session', async () => {
    const cluster = clusterOf(3);
    await cluster.start();
    const [target, peer] = [cluster.node(0), cluster.node(1)];
    const { publicKey } = peer.context.identity;
    for (let turn = 0; turn < 5; turn += 1) {
      const body = turn % 2 === 0 ? utf8('garbage') : new Uint8Array(100).fill(turn);
      await target.context.tell(Transport.events.received, { from: idOf(peer), publicKey, kind: RAFT_KIND, body });
      await settle(5);
    }
    expect(target.banned).to.deep.equal([idOf(peer)]);
    noFatal(cluster);
  });

  it('the leader proposes two caught-up learners at once under skip-two', async () => {
    const cluster = clusterOf(3, { validators: 1, config: { promotion: { healthyMs: 1_000 } } });
    const { chain } = cluster.node(0);
    const learners = [1, 2].map((index, at) => ({
      publicKey: cluster.node(index).context.keys.publicKey,
      name: '',
      sequence: at + 1,
    }));
    chain.tips[0] = { ...chain.tip, learners };
    await cluster.start();
    await cluster.clock.advance(5_000);
    const [promotion, ...rest] = cluster.node(0).submitted;
    expect(rest).to.deep.equal([]);
    const { membership } = decodeTransaction(promotion ?? new Uint8Array(0)).value;
    expect(membership?.promote?.publicKeys.map(toHex)).to.deep.equal(learners.map(({ publicKey }) => toHex(publicKey)));
  });
});
