import { fileURLToPath } from 'node:url';
import { whyNot, type Need } from './machine.js';
import { run, spawnInside, sweep, switchOf } from './net-lab.js';

/** Whose namespaces these are, told to the process that runs inside. */
const OWNER = 'FAULTS_OWNER';

/** A process in a network of its own. */
export interface Lane {
  /** Arguments after those of this process. */
  readonly args: readonly string[];
}

/** The owner of the network that this process is in; undefined outside. */
export const ownerHere = (): string | undefined => process.env[OWNER];

/** Inside: tells the process outside how it went, which is all that it waits for. */
export function tell(result: unknown): void {
  process.send?.(result, () => process.disconnect());
}

/**
 * Starts this file again, once for each lane, side by side, each in the namespace of a switch of its own; what `prepare`
 * installs is installed before.
 * @returns why the machine does not allow that, or what each lane told: undefined for one that ended without a word
 */
export async function inOwnNetworks(
  file: string,
  lanes: readonly Lane[],
  { needs, prepare }: { readonly needs: readonly Need[]; readonly prepare?: () => unknown },
): Promise<{ readonly reason: string } | { readonly told: readonly unknown[] }> {
  const reason = whyNot(needs);
  if (reason !== undefined) return { reason };
  prepare?.();
  sweep();
  try {
    return { told: await Promise.all(lanes.map((lane, index) => inside(file, lane, `${process.pid}l${index + 1}`))) };
  } finally {
    sweep(process.pid);
  }
}

function inside(file: string, { args }: Lane, owner: string): Promise<unknown> {
  run('ip', ['netns', 'add', switchOf(owner)]);
  const command = [process.execPath, '--enable-source-maps', fileURLToPath(file), ...process.argv.slice(2), ...args];
  const child = spawnInside(switchOf(owner), command, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [OWNER]: owner },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  let told: unknown;
  child.on('message', (message) => (told = message));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0 ? told : undefined));
  });
}
