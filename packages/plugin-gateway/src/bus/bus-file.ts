import { lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** How the embedded server of a node is reached: `<dataDir>/bus.json`, mode 0600. */
export interface BusFile {
  /** Path of the Unix socket. */
  readonly socket: string;
  /** `host:port` of the TCP listener, on this machine only. */
  readonly address: string;
  /** For `bus.url` of another process of the same node, or any AMQP client. Holds the password. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Prefix of the names of the node's exchanges and queues. */
  readonly namespace: string;
  /** The process that serves it. */
  readonly pid: number;
}

/** Beginning of the name of the folder that holds a socket. Short: a path of a socket has at most 107 bytes. */
export const SOCKET_FOLDER = 'itc-';

const fileIn = (dataDir: string): string => join(dataDir, 'bus.json');

/** Writes the file in one step, readable by its owner only. */
export async function writeBusFile(dataDir: string, content: BusFile): Promise<void> {
  const temporary = `${fileIn(dataDir)}.${content.pid}.tmp`;
  await rm(temporary, { force: true });
  await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(temporary, fileIn(dataDir));
}

/** Removes the file and the folder of its socket, where they are of the process `pid`. */
export async function removeBusFile(dataDir: string, pid: number): Promise<void> {
  const left = await readBusFile(dataDir);
  if (left?.pid !== pid) return;
  await removeSocketFolder(left.socket);
  await rm(fileIn(dataDir), { force: true });
}

/** Removes what a process left behind that was killed. What belongs to a process that lives is left alone. */
export async function sweepBusFile(dataDir: string): Promise<void> {
  const left = await readBusFile(dataDir);
  if (left === undefined || (left.pid !== process.pid && isAlive(left.pid))) return;
  await removeBusFile(dataDir, left.pid);
}

/** Age from which a socket folder without a listener counts as left behind, in ms. */
const STALE_MS = 60_000;
/** Folders that are looked at in one start. */
const MAX_SWEPT = 64;

/**
 * Removes socket folders of this user that nobody listens on any more: those of nodes that were killed and whose data
 * folder is gone too, so that no later start would find them. Failing at one of them is no reason not to start.
 */
export async function sweepSocketFolders(now: number): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(SOCKET_FOLDER)).slice(0, MAX_SWEPT);
  await Promise.allSettled(
    names.map(async (name) => {
      const folder = join(tmpdir(), name);
      const facts = await lstat(folder);
      if (!facts.isDirectory() || facts.uid !== process.getuid?.() || now - facts.mtimeMs < STALE_MS) return;
      if (!(await isListening(join(folder, 'bus.sock')))) await removeSocketFolder(join(folder, 'bus.sock'));
    }),
  );
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

async function readBusFile(dataDir: string): Promise<Pick<BusFile, 'socket' | 'pid'> | undefined> {
  try {
    const read = JSON.parse(await readFile(fileIn(dataDir), 'utf8')) as Partial<Record<string, unknown>>;
    const { socket, pid } = read;
    return typeof socket === 'string' && typeof pid === 'number' ? { socket, pid } : undefined;
  } catch {
    // Not there, or cut off by a crash: nothing to sweep, and the next start writes it anew.
    return undefined;
  }
}

/** Only a folder that this package made, and only its socket: the file may have been edited. */
async function removeSocketFolder(socket: string): Promise<void> {
  const folder = dirname(socket);
  if (!basename(folder).startsWith(SOCKET_FOLDER) || basename(socket) !== 'bus.sock') return;
  await rm(socket, { force: true });
  await rm(folder, { recursive: true, force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
