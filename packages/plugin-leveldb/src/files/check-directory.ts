import { copyFile, readFile, readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@it-chain/contracts';
import { readRecordLog } from './record-log.js';
import { checkTable } from './table.js';
import { replayEdits, type Version } from './version.js';

/** What to expect of a directory, and how much of it to read. */
export interface DirectoryCheckOptions {
  /** Number of the last batch that is known to be on disk. */
  readonly mark: number;
  /** Most bytes of tables to read; the newest come first. */
  readonly maxTableBytes: number;
  /** The number in a batch of the write-ahead log, or undefined where it holds none. */
  readonly numberOf: (batch: Uint8Array) => number | undefined;
}

/** What was found. */
export interface DirectoryCheck {
  /** What is damaged, one sentence each; empty = sound. */
  readonly problems: readonly string[];
  /** A log whose end was never acknowledged as synced and is damaged: to be cut at `offset` before LevelDB reads it. */
  readonly cut?: { readonly file: string; readonly offset: number } | undefined;
  /** Tables that were not read, because of the limit. */
  readonly unread: readonly string[];
}

/** The live table files of a directory, newest first. @throws Error where CURRENT or the MANIFEST cannot be read */
export async function liveTables(directory: string): Promise<{ version: Version; files: string[] }> {
  const current = (await readFile(join(directory, 'CURRENT'), 'utf8')).trim();
  if (!/^MANIFEST-\d+$/.test(current)) throw new Error(`CURRENT names "${current.slice(0, 40)}"`);
  const { records, fault } = readRecordLog(await readFile(join(directory, current)));
  if (fault !== undefined) throw new Error(`${current} holds ${fault.what} at ${fault.offset}`);
  const version = replayEdits(records.map((record) => record.data));
  const numbers = [...version.tables.keys()].sort((a, b) => b - a);
  return { version, files: numbers.map((number) => `${String(number).padStart(6, '0')}.ldb`) };
}

/** Reads one table and says what is wrong with it. A file that is gone is no problem here: it may have been compacted away. */
export async function checkTableFile(directory: string, file: string): Promise<string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(directory, file));
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    return `${file} cannot be read: ${messageOf(error)}`;
  }
  const wrong = checkTable(bytes);
  return wrong === undefined ? undefined : `${file}: ${wrong}`;
}

/**
 * Checks a closed LevelDB directory before LevelDB opens it: CURRENT, MANIFEST, the checksums of all blocks of the
 * tables, and the write-ahead logs, whose records must be whole, in sequence, and reach up to the mark.
 */
export async function checkDirectory(directory: string, options: DirectoryCheckOptions): Promise<DirectoryCheck> {
  let live: Awaited<ReturnType<typeof liveTables>>;
  try {
    live = await liveTables(directory);
  } catch (error) {
    return { problems: [messageOf(error)], unread: [] };
  }
  const problems: string[] = [];
  const unread: string[] = [];
  let budget = options.maxTableBytes;
  for (const file of live.files) {
    const expected = live.version.tables.get(Number.parseInt(file, 10)) ?? 0;
    const size = await sizeOf(join(directory, file));
    if (size !== expected) problems.push(`${file} has ${size ?? 'no'} bytes where ${expected} are due`);
    else if (budget < expected) unread.push(file);
    else {
      budget -= expected;
      const problem = await checkTableFile(directory, file);
      if (problem !== undefined) problems.push(problem);
    }
  }
  const logs = await checkLogs(directory, live.version.logNumber, options);
  return { problems: [...problems, ...logs.problems], unread, cut: logs.cut };
}

/** Cuts the damaged end off a log, as {@link checkDirectory} found it, and keeps a copy of the whole as `copy`. */
export async function cutLog(
  directory: string,
  cut: { readonly file: string; readonly offset: number },
  copy: string,
): Promise<void> {
  await copyFile(join(directory, cut.file), copy);
  await truncate(join(directory, cut.file), cut.offset);
}

async function checkLogs(
  directory: string,
  from: number,
  { mark, numberOf }: DirectoryCheckOptions,
): Promise<{ problems: string[]; cut?: { file: string; offset: number } }> {
  const files = (await readdir(directory))
    .filter((file) => /^\d+\.log$/.test(file) && Number.parseInt(file, 10) >= from)
    .sort();
  let last: number | undefined;
  for (const [index, file] of files.entries()) {
    const { records, fault } = readRecordLog(await readFile(join(directory, file)));
    let end = 0;
    for (const record of records) {
      const number = numberOf(record.data);
      if (number === undefined)
        return { problems: [`${file} holds a batch without a number in front of ${record.end}`] };
      if (last !== undefined && number !== last + 1) {
        return { problems: [`${file} goes from batch ${last} to ${number}`] };
      }
      last = number;
      end = record.end;
    }
    if (fault === undefined) continue;
    // A power cut can leave such an end, of writes that were never called synced; anything else is damage. Where the log
    // holds no sound batch at all, the number in the opened store decides.
    const newest = index === files.length - 1;
    if (newest && (last === undefined || last >= mark)) return { problems: [], cut: { file, offset: end } };
    return { problems: [`${file} holds ${fault.what} at ${fault.offset}`] };
  }
  return { problems: [] };
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}
