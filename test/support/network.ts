import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Block, decodeTransaction, toHex } from '@it-chain/contracts';
import { NodeProcess, type NodeOptions } from './node-process.js';
import { until } from './until.js';

/** A folder that goes away with the test; its name begins with `prefix`. */
export function scratch(prefix = 'it-chain-test-'): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), prefix));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Nodes of one test, in the order of joining. */
export interface Network {
  readonly nodes: readonly NodeProcess[];
  remove(): Promise<void>;
}

/** Starts `count` nodes as in the scenarios: the first alone, each other joins it; waits until all are validators. */
export async function startNetwork(count: number, options: Partial<NodeOptions> = {}): Promise<Network> {
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  const remove = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  };
  try {
    for (let index = 0; index < count; index += 1) {
      const p2p = { genesis: { growth: count === 2 ? 'immediate' : 'skip-two' } };
      const node = await NodeProcess.create({
        name: `n${index + 1}`,
        dir: folder.dir,
        ...options,
        sections: { p2p, ...options.sections },
      });
      nodes.push(node);
      await node.start();
      const first = nodes[0];
      if (index > 0 && first !== undefined) await node.client.join(first.peer);
    }
    if (count > 1) await allValidators(nodes);
  } catch (error) {
    const tails = nodes.map((node) => `--- ${node.name}\n${node.stderr.slice(-3_000)}`).join('\n');
    await remove();
    throw new Error(`the network of ${count} did not come up: ${String(error)}\n${tails}`, { cause: error });
  }
  return { nodes, remove };
}

/** Waits until all nodes are validators and name the same leader. */
export async function allValidators(nodes: readonly NodeProcess[]): Promise<void> {
  await until(
    `${nodes.length} validators that agree on the leader`,
    async () => {
      const all = await Promise.all(nodes.map((node) => node.client.status()));
      const leaders = new Set(all.map(({ leader }) => leader));
      return (
        all.every(({ role, validators }) => role === 'validator' && validators === nodes.length) &&
        leaders.size === 1 &&
        !leaders.has('')
      );
    },
    30_000,
  );
}

/** Puts a key and waits until it is committed; gives height and id. */
export async function put(node: NodeProcess, key: string, value: string): Promise<{ id: Uint8Array; height: number }> {
  const sent = await node.client.kv.put(key, value);
  const final = await node.client.waitForTransaction(sent.id, { timeoutMs: 60_000 });
  if (final.status !== 'committed') throw new Error(`${key} was ${final.status}: ${final.code} ${final.reason}`);
  return { id: sent.id, height: final.height ?? 0 };
}

/** Waits until all nodes are at the same tip, at least `height`, with the same digest and state root; gives it. */
export function sameTip(nodes: readonly NodeProcess[], height: number): Promise<{ height: number; digest: string }> {
  return until(
    `the same tip at or above ${height} on ${nodes.map(({ name }) => name).join(', ')}`,
    async () => {
      const all = await Promise.all(nodes.map((node) => node.client.status()));
      const tips = new Set(all.map((one) => `${one.height} ${toHex(one.digest)} ${toHex(one.stateRoot)}`));
      const first = all[0];
      if (tips.size !== 1 || first === undefined || first.height < height) return undefined;
      return { height: first.height, digest: toHex(first.digest) };
    },
    30_000,
  );
}

/** Ids of all committed transactions of a node, in order. */
export async function committed(node: NodeProcess): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 1; ;) {
    const blocks = await node.client.blocks(from, 200);
    if (blocks.length === 0) return ids;
    for (const { certified } of blocks) {
      ids.push(...Block.decode(certified.block).transactions.map((one) => toHex(decodeTransaction(one).id)));
    }
    from += blocks.length;
  }
}
