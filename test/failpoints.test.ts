import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FAILPOINTS, Genesis, toHex, verifyChain, type CertifiedBlock, type FailpointName } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { allValidators, committed, put, sameTip, scratch } from './support/network.js';
import { until } from './support/until.js';

type Role = 'leader' | 'follower';

/** The few of `npm test`; FAILPOINTS=all, or a list of names, is for `npm run failpoints`. */
const FEW: readonly (readonly [FailpointName, Role])[] = [
  ['vote.after-sign', 'leader'],
  ['guard.before-sync', 'follower'],
  ['commit.after-batch', 'leader'],
];
const asked = process.env['FAILPOINTS'];
const rounds = Number(process.env['ROUNDS'] ?? 1);

function cases(): readonly (readonly [FailpointName, Role])[] {
  if (asked === undefined || asked === '') return FEW;
  const names = asked === 'all' ? Object.keys(FAILPOINTS) : asked.split(',');
  const all = names.flatMap((name) => [
    [name as FailpointName, 'leader'] as const,
    [name as FailpointName, 'follower'] as const,
  ]);
  return Array.from({ length: rounds }, () => all).flat();
}

describe('a node that is killed at a named step', function () {
  this.timeout(900_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  /** Every transaction that a node said it has. */
  const acknowledged = new Set<string>();
  const armFile = (node: NodeProcess): string => join(folder.dir, `${node.name}.failpoint`);
  let turn = 0;

  before(async () => {
    for (let index = 0; index < 4; index += 1) {
      const name = `n${index + 1}`;
      const env = { NODE_ENV: 'test', IT_CHAIN_FAILPOINT: `@${join(folder.dir, `${name}.failpoint`)}` };
      const node = await NodeProcess.create({ name, dir: folder.dir, env });
      nodes.push(node);
      await node.start();
      if (index > 0) await node.client.join(nodes[0]!.peer);
    }
    await allValidators(nodes);
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  });

  /** The present leader, or one that does not lead; another follower each time. */
  async function victimOf(role: Role): Promise<NodeProcess> {
    const id = await until('one leader', async () => {
      const all = await Promise.all(nodes.map((node) => node.client.leader()));
      return new Set(all.map(({ leader }) => leader)).size === 1 && all[0]?.leader !== '' && all[0]?.leader;
    });
    const candidates = nodes.filter(({ nodeId }) => (nodeId === id) === (role === 'leader'));
    return candidates[(turn += 1) % candidates.length]!;
  }

  async function send(node: NodeProcess, label: string): Promise<void> {
    const sent = await node.client.kv.put(label, label);
    acknowledged.add(toHex(sent.id));
  }

  /** Load over all nodes until the victim is dead; what a dying node does not answer is of unknown outcome. */
  async function loadUntilDead(victim: NodeProcess, label: string): Promise<void> {
    let dead = false;
    void victim.ended().then(() => (dead = true));
    let count = 0;
    await until(
      `${victim.name} to be killed at ${label}`,
      async () => {
        const witness = nodes.filter((node) => node !== victim)[count % 3]!;
        await send(witness, `${label}-${(count += 1)}`);
        await send(victim, `${label}-${(count += 1)}`).catch(() => undefined);
        return dead;
      },
      30_000,
    );
  }

  for (const [index, [name, role]] of cases().entries()) {
    it(`${name} of a ${role}: nothing acknowledged is lost, nothing runs twice (${index + 1})`, async () => {
      const victim = await victimOf(role);
      const others = nodes.filter((node) => node !== victim);
      writeFileSync(armFile(victim), name);
      await loadUntilDead(victim, `${name}/${role}/${index}`);
      expect((await victim.ended()).signal).to.equal('SIGKILL');
      expect(existsSync(armFile(victim)), 'the arm was taken').to.equal(false);

      const { height } = await put(others[0]!, `${name}/${role}/${index}/without`, 'yes');
      await victim.start();
      await sameTip(nodes, height);
      const after = await put(victim, `${name}/${role}/${index}/after`, 'yes');
      await sameTip(nodes, after.height);
      await everythingOnce(victim);
      for (const node of nodes) expect(node.stderr).to.not.include('signed two votes');
    });
  }

  it('and every block of every node holds, with a certificate of its height', async () => {
    for (const node of nodes) {
      const { genesis } = await node.client.genesis();
      const position = await verifyChain(Genesis.decode(genesis), blocksOf(node));
      expect(toHex(position.digest)).to.equal(toHex((await node.client.status()).digest));
    }
  });

  async function everythingOnce(node: NodeProcess): Promise<void> {
    const missing = await until(
      `every acknowledged transaction on ${node.name}`,
      async () => {
        const ids = await committed(node);
        expect(new Set(ids).size, 'an id twice').to.equal(ids.length);
        const present = new Set(ids);
        return [...acknowledged].every((id) => present.has(id)) ? [] : undefined;
      },
      30_000,
    );
    expect(missing).to.deep.equal([]);
  }
});

async function* blocksOf(node: NodeProcess): AsyncGenerator<CertifiedBlock> {
  for (let from = 1; ;) {
    const blocks = await node.client.blocks(from, 200);
    if (blocks.length === 0) return;
    for (const { certified } of blocks) yield certified;
    from += blocks.length;
  }
}
