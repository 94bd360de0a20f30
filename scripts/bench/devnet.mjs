// A devnet of real processes for the benchmarks, on ports of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../setup.mjs';

/** Below the range from which systems draw ports of outgoing connections. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/**
 * Starts a devnet in a temporary directory and resolves when all its nodes are validators.
 * @param {number} count how many nodes
 * @param {{ basePort?: number, env?: Record<string, string> }} [options] the first of its ports (else free ones), and
 *   what to add to the environment of the nodes
 * @returns `{ nodes: [{ name, nodeId, peer, api, pid, dir }], stop }`; `stop` ends the processes and removes the directory
 */
export async function startDevnet(count, { basePort, env = {} } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'it-chain-bench-'));
  const base = basePort ?? (await freePorts(count));
  const args = ['devnet', '--nodes', String(count), '--dir', dir, '--base-port', String(base), '--json'];
  const child = spawn(process.execPath, [join(root, 'packages', 'cli', 'dist', 'bin.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const stop = async () => {
    child.kill('SIGINT');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  const nodes = [];
  const ready = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const read = JSON.parse(line);
      if (read.pid !== undefined) nodes.push(read);
      if (read.ready === true) resolve();
    });
  });
  const how = await Promise.race([ready, ended]);
  if (how === undefined) return { nodes, stop };
  await stop();
  throw new Error(`the devnet ended with ${how} before it was ready`);
}

/** The first of ten ports per node that nothing listens on. */
async function freePorts(count) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const base = FIRST_PORT + 10 * Math.floor((Math.random() * (LAST_PORT - FIRST_PORT)) / 10);
    const ports = Array.from({ length: count }, (_, index) => [base + 10 * index, base + 10 * index + 1]).flat();
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`no free ports for ${count} nodes between ${FIRST_PORT} and ${LAST_PORT}`);
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
