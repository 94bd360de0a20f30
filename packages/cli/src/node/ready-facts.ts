import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { createClient } from '@it-chain/client';
import { isItChainError, toHex } from '@it-chain/contracts';
import type { RunningNode } from '@it-chain/kernel';
import type { Io } from '../terminal/io.js';
import { runningAddress } from './find-node.js';

/** What a node that is ready says of itself. */
export interface ReadyFacts {
  readonly nodeId: string;
  readonly name: string;
  /** Where peers dial it; null where the gateway runs in another process. */
  readonly peer: string | null;
  readonly api: string | null;
  readonly bus: string;
  readonly dataDir: string;
  readonly network: string | null;
  readonly candidate: string | null;
  readonly leader: string | null;
  readonly pid: number;
}

/** Asks the node itself, over its own API where this process has one. */
export async function readyFacts(node: RunningNode): Promise<ReadyFacts> {
  const { dataDir, name } = node.config.node;
  const own = node.inspect().plugins.some(({ role, state }) => role === 'transport' && state === 'ready');
  const api = own ? (runningAddress(dataDir) ?? null) : null;
  const status = api === null ? undefined : await statusOf(api, dataDir);
  return {
    nodeId: node.nodeId,
    name,
    peer: status === undefined || status.peerAddress === '' ? null : status.peerAddress,
    api,
    bus: busAddress(node),
    dataDir,
    network: status === undefined || status.network.length === 0 ? null : toHex(status.network),
    candidate: status === undefined || status.candidate.length === 0 ? null : toHex(status.candidate),
    leader: status === undefined || status.leader === '' ? null : status.leader,
    pid: process.pid,
  };
}

async function statusOf(
  address: string,
  dataDir: string,
): Promise<Awaited<ReturnType<ReturnType<typeof createClient>['status']>> | undefined> {
  const tls = tlsOf(dataDir);
  const client = createClient({ address, ...(tls ? { tls: {} } : {}) });
  try {
    return await client.status();
  } catch (error) {
    // The node runs; that its certificate is not for this name, say, is the client's matter.
    if (isItChainError(error)) return undefined;
    throw error;
  } finally {
    client.close();
  }
}

function tlsOf(dataDir: string): boolean {
  const file = join(dataDir, 'api.json');
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { readonly tls?: boolean }).tls === true;
}

/** Where the bus is, without its password. */
function busAddress(node: RunningNode): string {
  const { listen, url } = node.config.bus;
  if (url !== undefined) return withoutPassword(url);
  if (listen === undefined) return 'in memory';
  try {
    const read = JSON.parse(readFileSync(join(node.config.node.dataDir, 'bus.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    const place = read['url'] ?? read['address'] ?? read['path'];
    if (typeof place === 'string') return withoutPassword(place);
  } catch {
    // A bus that leaves no such file is where the config says.
  }
  return listen;
}

const withoutPassword = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

/** The commands to paste next, for a node that is alone. */
export function nextCommands(facts: ReadyFacts, config: string | undefined, io: Io): string {
  const command = io.env['npm_lifecycle_event'] === undefined ? 'it-chain' : 'npm run it-chain --';
  const peer = facts.peer ?? '127.0.0.1:7000';
  const second = config === undefined ? undefined : secondConfig(config, io.cwd);
  const here = config === undefined ? '' : ` --config ${config}`;
  const head = 'There is no leader yet: the network is born when another node joins this one.';
  if (second === undefined) {
    return [
      head,
      '',
      'On another node, or in a second terminal with a config of its own:',
      `  ${command} join ${peer}`,
      'Or alone, for development: stop this node and start it again with',
      `  ${command} start --solo${here}`,
    ].join('\n');
  }
  return [
    head,
    '',
    'In a second terminal, start a second node:',
    `  ${command} start --config ${second}`,
    '',
    'In a third one, let it join, send a transaction, and read it back from the other node:',
    `  ${command} join ${peer} --config ${second}`,
    `  ${command} kv put greeting hello --wait${here}`,
    `  ${command} kv get greeting --prove --config ${second}`,
    `  ${command} status --config ${second}`,
  ].join('\n');
}

function secondConfig(config: string, cwd: string): string | undefined {
  if (basename(config) !== 'first-node.yaml') return undefined;
  const file = join(dirname(config), 'second-node.yaml');
  const shown = relative(cwd, join(cwd, file));
  return existsSync(join(cwd, file)) ? shown : undefined;
}
