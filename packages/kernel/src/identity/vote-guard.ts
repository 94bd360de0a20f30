import { open, readFile, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  failure,
  hasCode,
  messageOf,
  noFailpoint,
  type Clock,
  type Failpoint,
  type Log,
  type VoteContent,
} from '@it-chain/contracts';
import { codeOf, syncDirectory } from './durable-file.js';
import { SignedVotes } from './signed-votes.js';
import { decodeGuard, encodeVote, GUARD_HEADER, RECORD_BYTES, type GuardContent } from './vote-record.js';

/** Records after which the file is rewritten with those that still matter; 0.7 MB. */
const COMPACT_AFTER = 8_192;

/** Where the guard is and how it is opened. */
export interface VoteGuardOptions {
  readonly path: string;
  readonly acceptDoubleSignRisk: boolean;
  /** Records after which the file is rewritten. Default 8,192. */
  readonly compactAfter?: number | undefined;
}

/** What a guard needs. */
export interface VoteGuardDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly failpoint?: Failpoint | undefined;
}

interface OpenedGuard {
  readonly votes: SignedVotes;
  readonly file: FileHandle;
  readonly size: number;
  readonly failpoint: Failpoint;
}

/**
 * The signing guard: a vote is on disk here before its signature is given out, so that no restart, crash or restored
 * consensus log makes this key say two different things. Append-only, one fsync per vote.
 */
export class VoteGuard {
  readonly #path: string;
  readonly #compactAfter: number;
  readonly #votes: SignedVotes;
  readonly #failpoint: Failpoint;
  #file: FileHandle;
  #size: number;
  #last: Promise<unknown> = Promise.resolve();
  /** Set when the file may not end with a whole record: nothing is signed until the next start. */
  #failed: unknown;
  #closed = false;

  private constructor(options: VoteGuardOptions, state: OpenedGuard) {
    this.#path = options.path;
    this.#compactAfter = options.compactAfter ?? COMPACT_AFTER;
    this.#votes = state.votes;
    this.#file = state.file;
    this.#size = state.size;
    this.#failpoint = state.failpoint;
  }

  /**
   * Opens the guard, or makes an empty one. A torn tail is cut off; damage is refused, unless the risk is accepted: then
   * the damaged file is kept under another name and what can be read goes on.
   * @throws ERR_IDENTITY_GUARD_DAMAGED, ERR_IDENTITY_UNREADABLE
   */
  static async open(
    options: VoteGuardOptions,
    { clock, log, failpoint = noFailpoint }: VoteGuardDependencies,
  ): Promise<VoteGuard> {
    const { path, acceptDoubleSignRisk } = options;
    const votes = new SignedVotes();
    const { content, rewrite } = readContent(await readGuard(path), path, acceptDoubleSignRisk);
    for (const vote of content.votes) votes.note(vote);
    try {
      await unlinkIfThere(temporaryOf(path));
      if (rewrite) {
        const kept = `${path}.damaged-${clock.now()}`;
        log.warn('the damaged guard was set aside; signing goes on at your risk', {
          kept,
          votes: content.votes.length,
        });
        await rename(path, kept);
      }
      if (rewrite || content.goodBytes === 0) {
        const { file, size } = await writeGuard(path, votes);
        return new VoteGuard(options, { votes, file, size, failpoint });
      }
      const file = await open(path, 'a+');
      const { size } = await file.stat();
      if (size > content.goodBytes) {
        log.warn('a torn record at the end of the guard was cut off', { bytes: size - content.goodBytes });
        await file.truncate(content.goodBytes);
        await file.sync();
      }
      return new VoteGuard(options, { votes, file, size: content.goodBytes, failpoint });
    } catch (cause) {
      throw failure('ERR_IDENTITY_UNREADABLE', `the guard ${path} cannot be opened: ${messageOf(cause)}`, { cause });
    }
  }

  /** Size of the file, in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Notes a vote that is about to be signed and resolves when it is on disk; at once where the same vote is noted already.
   * @throws ERR_IDENTITY_DOUBLE_SIGN, ERR_IDENTITY_STALE_VOTE, ERR_IDENTITY_GUARD_FAILED, ERR_DATA_INVALID
   */
  note(network: Uint8Array, vote: VoteContent): Promise<void> {
    // One after the other: a vote is judged only when the one before it is on disk.
    const noted = this.#last.then(() => this.#note(Uint8Array.from(network), vote));
    this.#last = noted.catch(() => undefined); // The caller gets it; the next vote does not depend on it.
    return noted;
  }

  /** Waits for votes under way and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last;
    await this.#file.close();
  }

  async #note(network: Uint8Array, vote: VoteContent): Promise<void> {
    if (this.#failed !== undefined) throw guardFailed(this.#path, this.#failed);
    const signed = { network, vote: { ...vote, digest: Uint8Array.from(vote.digest) } };
    if (this.#votes.judge(signed) === 'again') return;
    try {
      this.#failpoint('guard.before-write');
      await writeAll(this.#file, encodeVote(signed));
      this.#failpoint('guard.before-sync');
      await this.#file.datasync();
      this.#failpoint('guard.after-sync');
      await this.#requireAlone(this.#size + RECORD_BYTES);
    } catch (cause) {
      // After a failed fsync the state of the file is unknown: only a fresh look at it, at the next start, helps.
      this.#failed = cause;
      throw guardFailed(this.#path, cause);
    }
    this.#size += RECORD_BYTES;
    this.#votes.note(signed);
    await this.#compactIfGrown();
  }

  /**
   * Of two processes that append to one guard, the later one sees a file longer than its own records and signs nothing:
   * its judgement was made without the other's votes.
   */
  async #requireAlone(expected: number): Promise<void> {
    const [mine, named] = await Promise.all([this.#file.stat(), stat(this.#path)]);
    if (mine.ino === named.ino && mine.size === expected) return;
    throw new Error('another process writes to it; two processes use one data directory');
  }

  async #compactIfGrown(): Promise<void> {
    const records = (this.#size - GUARD_HEADER.length) / RECORD_BYTES;
    if (records < this.#compactAfter || records < 2 * [...this.#votes.kept()].length) return;
    try {
      const { file, size } = await writeGuard(this.#path, this.#votes);
      const old = this.#file;
      this.#file = file;
      this.#size = size;
      await old.close();
    } catch (cause) {
      // The name may stand for the new file while this handle is the old one.
      this.#failed = cause;
    }
  }
}

const temporaryOf = (path: string): string => `${path}.tmp`;

/** Writes a whole guard beside its place, synced, and puts it there in one step. */
async function writeGuard(path: string, votes: SignedVotes): Promise<{ file: FileHandle; size: number }> {
  const bytes = Buffer.concat([GUARD_HEADER, ...[...votes.kept()].map(encodeVote)]);
  const temporary = temporaryOf(path);
  const file = await open(temporary, 'ax+', 0o600);
  try {
    await writeAll(file, bytes);
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await file.close();
    throw error;
  }
  return { file, size: bytes.length };
}

/** Appends: the file is open for nothing else. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

async function readGuard(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw failure('ERR_IDENTITY_UNREADABLE', `the guard ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function readContent(
  bytes: Uint8Array | undefined,
  path: string,
  acceptDoubleSignRisk: boolean,
): { content: GuardContent; rewrite: boolean } {
  const empty: GuardContent = { votes: [], goodBytes: 0, damaged: [] };
  if (bytes === undefined) return { content: empty, rewrite: false };
  try {
    const content = decodeGuard(bytes);
    if (content.damaged.length === 0) return { content, rewrite: false };
    if (acceptDoubleSignRisk) return { content, rewrite: true };
    throw failure(
      'ERR_IDENTITY_GUARD_DAMAGED',
      `the guard ${path} is damaged in ${content.damaged.length} of its records, the first is number ${content.damaged[0] ?? 0}`,
    );
  } catch (error) {
    if (acceptDoubleSignRisk && hasCode(error, 'ERR_IDENTITY_GUARD_DAMAGED')) return { content: empty, rewrite: true };
    throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function guardFailed(path: string, cause: unknown): Error {
  return failure('ERR_IDENTITY_GUARD_FAILED', `the guard ${path} cannot be written: ${messageOf(cause)}`, { cause });
}
