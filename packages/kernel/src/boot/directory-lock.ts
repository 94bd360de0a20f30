import { createHash } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failure } from '@it-chain/contracts';

/** How long the holder of a lock is asked for its process id, in ms. */
const ASK_MS = 1_000;

/** Gives the locks back. Safe to call twice. */
export type Release = () => Promise<void>;

/**
 * Locks a data directory for the given parts of a node: two processes may share it only with different parts.
 * A lock is a listening socket that answers with the process id of its holder. On Linux its name is in no file system
 * (an abstract socket, named after device and inode of the directory), so the end of the process, however it comes,
 * ends the lock and nothing stale can be left.
 * @throws ERR_STORAGE_IN_USE naming the process that holds it
 */
export async function lockDirectory(path: string, parts: readonly string[]): Promise<Release> {
  const { dev, ino } = statSync(path, { bigint: true });
  const held: Server[] = [];
  const release: Release = async () => {
    await Promise.all(
      held.splice(0).map(
        (server) =>
          new Promise<void>((resolve) =>
            server.close(() => {
              resolve();
            }),
          ),
      ),
    );
  };
  for (const part of [...new Set(parts)].sort()) {
    const address = addressOf(`${String(dev)}:${String(ino)}:${part}`);
    const server = await hold(address);
    if (server !== undefined) {
      held.push(server);
      continue;
    }
    await release();
    const pid = await askHolder(address);
    throw failure(
      'ERR_STORAGE_IN_USE',
      `process ${pid ?? 'unknown'} uses the data directory ${path} already (${part})`,
      {
        hint:
          pid === undefined ? 'stop the other process' : `stop process ${pid}, or give this node another node.dataDir`,
        data: pid === undefined ? {} : { pid },
      },
    );
  }
  return release;
}

function addressOf(text: string): string {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 32);
  if (process.platform === 'linux') return `\0it-chain-lock-${digest}`;
  if (process.platform === 'win32') return `\\\\?\\pipe\\it-chain-lock-${digest}`;
  return join(tmpdir(), `it-chain-lock-${digest}`);
}

/** Listens at the address; undefined where another process does. */
async function hold(address: string): Promise<Server | undefined> {
  const server = await listen(address);
  if (server !== undefined || address.startsWith('\0') || address.startsWith('\\\\')) return server;
  // Where sockets are files, one may be left of a process that died: nobody answers there.
  if ((await askHolder(address)) !== undefined) return undefined;
  rmSync(address, { force: true });
  return listen(address);
}

function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(String(process.pid));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

function askHolder(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection(address);
    const done = (): void => {
      socket.destroy();
      resolve(/^\d{1,10}$/.test(answer) ? answer : undefined);
    };
    socket.setTimeout(ASK_MS, done);
    socket.on('data', (chunk) => (answer += chunk.toString('utf8').slice(0, 16)));
    socket.on('end', done);
    socket.on('error', done);
  });
}
