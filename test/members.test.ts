import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodeIdOf, toHex, type MembersReply, type TransactionStatus } from '@it-chain/contracts';
import { put, sameTip, scratch } from './support/network.js';
import { NodeProcess, root } from './support/node-process.js';
import { until } from './support/until.js';

const bin = join(root, 'packages', 'cli', 'dist', 'bin.js');

describe('members by vote', function () {
  this.timeout(600_000);
  this.bail(true);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  const node = (index: number): NodeProcess => {
    const found = nodes[index];
    if (found === undefined) throw new Error(`no node ${index}`);
    return found;
  };

  before(async () => {
    for (const name of ['n1', 'n2', 'n3', 'n4']) {
      const sections = { p2p: { genesis: { admission: 'vote' } } };
      const made = await NodeProcess.create({ name, dir: folder.dir, sections });
      nodes.push(made);
    }
    await Promise.all(nodes.map((one) => one.start()));
  });
  after(async () => {
    await Promise.all(nodes.map((one) => one.kill()));
    folder.remove();
  });

  /** Runs the command against a node; its JSON, its exit code and what it wrote to stderr. */
  const cli = (target: NodeProcess, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [bin, ...args, '--json', '--config', target.configFile],
      { encoding: 'utf8' },
    );
    return { code: status, stderr, json: stdout === '' ? undefined : (JSON.parse(stdout) as Record<string, unknown>) };
  };
  const done = async (at: NodeProcess, sent: TransactionStatus): Promise<TransactionStatus> => {
    const final = await at.client.waitForTransaction(sent.id, { timeoutMs: 60_000 });
    expect(final.receipt?.code, final.receipt?.message).to.equal(0);
    return final;
  };
  const roleOf = ({ members }: MembersReply, nodeId: string): string =>
    members.find((one) => one.nodeId === nodeId)?.role ?? 'none';
  const proposalSeen = (at: NodeProcess, id: Uint8Array): Promise<true> =>
    until(`the proposal on ${at.name}`, async () => {
      const { proposals } = await at.client.members();
      return proposals.some((one) => toHex(one.id) === toHex(id)) ? true : undefined;
    });
  const validators = (some: readonly NodeProcess[], count: number): Promise<true> =>
    until(
      `${count} validators on ${some.map(({ name }) => name).join(', ')}`,
      async () => {
        const all = await Promise.all(some.map((one) => one.client.status()));
        return all.every((one) => one.validators === count) ? true : undefined;
      },
      30_000,
    );

  it('who joins is proposed, and admitted by a quorum of the validators', async () => {
    const [first] = [node(0)];
    for (const index of [1, 2]) {
      const answer = await node(index).client.join(first.peer);
      expect(answer.voted).to.equal(true);
      await proposalSeen(first, answer.transaction);
      const { members, proposals } = await first.client.members();
      expect(members.map(({ nodeId }) => nodeId)).to.not.include(node(index).nodeId);
      expect(proposals[0]).to.deep.include({ approvals: [], rejections: [] });
      const voted = cli(first, 'members', 'vote', toHex(answer.transaction).slice(0, 8), '--wait');
      expect(voted.code, voted.stderr).to.equal(0);
      await until('its membership', async () => {
        const now = await node(index).client.members();
        return roleOf(now, node(index).nodeId) === 'none' ? undefined : true;
      });
    }
    await validators(nodes.slice(0, 3), 3);

    const answer = await node(3).client.join(node(1).peer);
    expect(answer.voted).to.equal(true);
    await proposalSeen(first, answer.transaction);
    await done(first, await first.client.vote(answer.transaction, true));
    const between = await node(2).client.members();
    expect(between.quorum).to.equal(2);
    expect(roleOf(between, node(3).nodeId), 'one approval of two').to.equal('none');
    // Any validator may complete it, also the one that did not propose it.
    await proposalSeen(node(2), answer.transaction);
    await done(node(2), await node(2).client.vote(answer.transaction, true));
    await validators(nodes, 4);
    const { height } = await put(node(3), 'four', 'validators');
    await sameTip(nodes, height);
  });

  it('a dead validator is named with the time it is missing, and voted out', async () => {
    const dead = node(3);
    const alive = nodes.slice(0, 3);
    const killed = Date.now();
    await dead.kill();
    const view = await until('the missing validator', async () => {
      const { views } = await node(0).client.consensus();
      return views.find((one) => one.nodeId === dead.nodeId && !one.present && one.missingSince > 0);
    });
    expect(view.missingSince).to.be.at.least(killed - 1_000);
    const proposed = cli(node(0), 'members', 'evict', dead.nodeId, '--reason', 'its disk is gone', '--wait');
    expect(proposed.code, proposed.stderr).to.equal(0);
    expect(proposed.stderr).to.match(/^warning: .* of which 0 instead of 1 may be Byzantine/);
    const id = Buffer.from(String(proposed.json?.['id']), 'hex');
    await proposalSeen(node(1), id);
    await done(node(1), await node(1).client.vote(id, true));
    expect((await node(1).client.members()).validators).to.equal(4);
    await proposalSeen(node(2), id);
    const last = await done(node(2), await node(2).client.vote(id, true));
    expect(last.receipt?.message).to.include('0 instead of 1 Byzantine ones are tolerated');
    await validators(alive, 3);
    const { evicted } = await node(0).client.members();
    expect(evicted.map(({ publicKey, reason }) => [nodeIdOf(publicKey), reason])).to.deep.equal([
      [dead.nodeId, 'its disk is gone'],
    ]);
    // Two of three decide: with the dead one still in the set, two of four would not.
    await node(2).kill();
    const { height } = await put(node(0), 'two', 'of three');
    await sameTip(nodes.slice(0, 2), height);
    await node(2).start();
    await sameTip(alive, height);
  });

  it('the evicted node comes back as a joiner that is voted on', async () => {
    const back = node(3);
    await back.start();
    const answer = await until('the proposal', async () => {
      const asked = await back.client.join(node(0).peer);
      return asked.voted ? asked : undefined;
    });
    await proposalSeen(node(0), answer.transaction);
    await proposalSeen(node(1), answer.transaction);
    await done(node(0), await node(0).client.vote(answer.transaction, true));
    await done(node(1), await node(1).client.vote(answer.transaction, true));
    await validators(nodes, 4);
    const { evicted } = await node(0).client.members();
    expect(evicted[0]?.readmitted).to.be.greaterThan(0);
  });

  it('a lost quorum is explained on one screen', async () => {
    await Promise.all([node(2).kill(), node(3).kill()]);
    await node(0).client.kv.put('waits', 'for a quorum');
    const json = await until('the stall', () => {
      const { code, json: shown } = cli(node(0), 'consensus');
      return code === 0 && shown?.['present'] === 2 ? shown : undefined;
    });
    expect(json).to.include({ validators: 4, quorum: 3, present: 2, working: true });
    expect(json['waiting']).to.include('needs 3 of 4 validators and 2 are connected');
    const views = json['views'] as { nodeId: string; present: boolean; missingSince: number | null }[];
    const missing = views.filter(({ present }) => !present);
    expect(missing.map(({ nodeId }) => nodeId)).to.have.members([node(2).nodeId, node(3).nodeId]);
    for (const one of missing) expect(one.missingSince).to.be.a('number');
    await Promise.all([node(2).start(), node(3).start()]);
    await until('the quorum to decide again', async () => {
      const found = await node(0).client.kv.get('waits');
      return found.value === undefined ? undefined : true;
    });
  });
});
