import { fileURLToPath } from 'node:url';
import { whyNot } from './machine.js';
import { run, spawnInside, sweepNamespaces, switchOf } from './net-lab.js';

/** The process that made the namespaces, told to the one that runs inside. */
const OWNER = 'FAULTS_OWNER';
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/**
 * Runs `main` in the namespace of the switch: makes it and starts the file again in it. Where the machine does not allow
 * that it says so, which in CI is a failure: a battery that did not run is no pass. @returns the exit code
 */
export async function inOwnNetwork(file: string, main: (owner: number) => Promise<number>): Promise<number> {
  const owner = process.env[OWNER];
  if (owner !== undefined) return main(Number(owner));
  const reason = whyNot();
  if (reason !== undefined) {
    const inCi = process.env['CI'] === 'true';
    say(`${inCi ? 'failed' : 'skipped'}: ${reason}`);
    say(inCi ? '0 passed, 1 failed, 0 skipped' : '0 passed, 0 failed, 1 skipped');
    return inCi ? 1 : 0;
  }
  sweepNamespaces();
  run('ip', ['netns', 'add', switchOf(process.pid)]);
  const args = [process.execPath, fileURLToPath(file), ...process.argv.slice(2)];
  const child = spawnInside(switchOf(process.pid), args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, [OWNER]: String(process.pid) },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number>((resolve) => child.once('exit', (status) => resolve(status ?? 1)));
  sweepNamespaces(process.pid);
  return code;
}
