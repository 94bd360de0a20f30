import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '@it-chain/contracts';

/** The file in the data directory that holds the token of admin calls. */
export const TOKEN_FILE = 'api.token';

/** Reads the token of a data directory, and makes it on first use: 32 random bytes in hex, mode 0600. */
export async function ensureToken(dataDir: string): Promise<string> {
  const path = join(dataDir, TOKEN_FILE);
  const known = await readToken(path);
  if (known !== undefined) return known;
  const made = randomBytes(32).toString('hex');
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${made}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link never replaces: where another process was first, its token holds.
    await link(draft, path);
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readToken(path)) ?? made;
  } finally {
    await unlink(draft);
  }
}

async function readToken(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** True for the address of a peer on this very host, as gRPC names it: `127.0.0.1:49152`. */
export function isLoopbackPeer(peer: string): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|::ffff:127\.\d+\.\d+\.\d+|::1|\[::1\])(?::\d+)?$/.test(peer);
}

/** Decides who may make admin calls: whoever is on this host, or holds the token. */
export class AdminAccess {
  readonly #expected: Buffer;

  constructor(token: string) {
    this.#expected = digest(`Bearer ${token}`);
  }

  /** @throws ERR_API_UNAUTHENTICATED */
  check(method: string, peer: string, authorization: string | undefined): void {
    if (isLoopbackPeer(peer)) return;
    // Digests have one length, so the comparison takes the same time whatever was sent.
    if (authorization !== undefined && timingSafeEqual(digest(authorization), this.#expected)) return;
    throw failure(
      'ERR_API_UNAUTHENTICATED',
      `${method} is for the operator of the node, and ${peer} has not shown its token`,
    );
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
