import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { until } from './until.js';

const ROOT = '/usr/lib/postgresql';

/** A PostgreSQL server of the test's own: its files, port and user are nobody else's. */
export interface PrivatePostgres {
  readonly url: string;
  /** Ends it as a crash does, and starts it again on the same files. */
  crash(): Promise<void>;
  remove(): Promise<void>;
}

/** The folder of the server's programs, or undefined where none is installed. */
export function postgresBin(): string | undefined {
  if (!existsSync(ROOT)) return undefined;
  const versions = readdirSync(ROOT).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(ROOT, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

/** Installs Debian's package, as root; the system's own cluster is not made. */
export function installPostgres(): void {
  if (postgresBin() !== undefined) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'postgresql']]) {
    const { status } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed with ${String(status)}`);
  }
}

/** Who runs the server: PostgreSQL refuses root, so root lends it to Debian's user of that name. */
function account(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/** Makes a cluster in a folder of its own, starts it and waits until it takes connections. */
export async function startPostgres(): Promise<PrivatePostgres> {
  const bin = postgresBin();
  if (bin === undefined) throw new Error('no PostgreSQL server is installed');
  const who = account();
  const dir = mkdtempSync(join(tmpdir(), 'it-chain-pg-'));
  if (who !== undefined) chownSync(dir, who.uid, who.gid);
  const data = join(dir, 'data');
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', HOME: dir };
  const made = spawnSync(join(bin, 'initdb'), ['-D', data, '-U', 'node', '--auth=trust', '-E', 'UTF8'], {
    ...who,
    env,
    cwd: dir,
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const options = [
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      dir,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'max_connections=50',
    ];
    child = spawn(join(bin, 'postgres'), options, { ...who, env, cwd: dir, stdio: 'ignore' });
    await until('PostgreSQL to take connections', () => accepts(port), 60_000);
  };
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child;
    child = undefined;
    if (running?.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await gone;
  };
  await start();
  return {
    url: `postgres://node@127.0.0.1:${port}/postgres`,
    // SIGQUIT is an immediate shutdown: nothing is written any more, the log is replayed at the next start.
    crash: async () => {
      await stop('SIGQUIT');
      await start();
    },
    remove: async () => {
      await stop('SIGQUIT');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** True when the server answers a startup message with a request for authentication. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const parameters = Buffer.from('user\0node\0database\0postgres\0\0', 'latin1');
    const head = Buffer.alloc(8);
    head.writeInt32BE(head.length + parameters.length, 0);
    head.writeInt32BE(196_608, 4);
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([head, parameters])));
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data: Buffer) => end(data[0] === 'R'.charCodeAt(0)));
    socket.once('error', () => end(false));
    socket.setTimeout(2_000, () => end(false));
  });
}
