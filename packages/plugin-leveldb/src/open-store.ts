import { access, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { failure, isItChainError, messageOf, toHex, type Log } from '@it-chain/contracts';
import { metaKey, openValue, sealValue } from './entry-codec.js';
import { checkDirectory, cutLog } from './files/check-directory.js';
import { valueInBatch } from './files/write-batch.js';
import { HighWaterMark } from './high-water-mark.js';
import { readMarker, STORE_FORMAT, writeDurably } from './marker.js';
import { forgetOwner, livingOwner, noteOwner } from './owner.js';

/** A LevelDB whose keys and values are bytes. */
export type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** Where a store is and how LevelDB is to keep it. */
export interface OpenStoreOptions {
  /** Folder of the store. Its marker is the file of the same name with `.json` behind it. */
  readonly directory: string;
  readonly cacheBytes: number;
  readonly writeBufferBytes: number;
  /** Most bytes of tables whose checksums are read before the store is opened. */
  readonly checkAtStartBytes: number;
}

/** An open store, before anybody uses it. */
export interface OpenStore {
  readonly level: Level;
  /** Folder of LevelDB's own files. */
  readonly files: string;
  readonly mark: HighWaterMark;
  /** Number of its last batch. */
  readonly counter: number;
  /** Tables that were not checked yet. */
  readonly unchecked: readonly string[];
  /** Notes that nobody holds the store any more. */
  release(): Promise<void>;
}

/** Key of the number of the last batch; in every batch. */
export const COUNTER_KEY = metaKey('counter');
const STORE_ID_KEY = metaKey('id');

/** The number as it is stored. */
export function sealCounter(counter: number): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigUInt64BE(BigInt(counter));
  return sealValue(COUNTER_KEY, value);
}

function openCounter(stored: Uint8Array): number {
  return Number(Buffer.from(openValue(COUNTER_KEY, stored)).readBigUInt64BE());
}

const damaged = (what: string, cause?: unknown): Error =>
  failure('ERR_STORAGE_DAMAGED', what, {
    cause,
    hint: 'Restore the directory from a backup, or move it and its marker away and join again.',
  });

/**
 * Opens the store of a directory, or makes one where none ever was. All checks that LevelDB leaves out are done before
 * LevelDB touches the files.
 * @throws ERR_STORAGE_DAMAGED, ERR_STORAGE_IN_USE, ERR_STORAGE_IO
 */
export async function openStore(
  options: OpenStoreOptions,
  { log, random }: { readonly log: Log; readonly random: (length: number) => Uint8Array },
): Promise<OpenStore> {
  const files = join(options.directory, 'db');
  const markerFile = `${options.directory}.json`;
  const ownerFile = join(options.directory, 'owner');
  await mkdir(files, { recursive: true }).catch((cause: unknown) => {
    throw failure('ERR_STORAGE_IO', `${files} cannot be made: ${messageOf(cause)}`, { cause });
  });
  const marker = await readMarker(markerFile);
  const present = await exists(join(files, 'CURRENT'));
  if (marker !== undefined && !present) throw damaged(`${files} was a store and is none any more: CURRENT is missing`);
  if (!present && (await readdir(files)).some((file) => /\.(ldb|log)$/.test(file))) {
    throw damaged(`${files} holds tables or logs, but no CURRENT`);
  }
  const mark = new HighWaterMark(join(options.directory, 'mark'));
  try {
    const unchecked = present ? await checkBeforeOpen(files, ownerFile, mark.value, options, log) : [];
    const level = await openLevel(files, ownerFile, options);
    await noteOwner(ownerFile);
    try {
      const counter = await identify(level, { marker: marker?.storeId, markerFile, mark, random });
      return { level, files, mark, counter, unchecked, release: () => forgetOwner(ownerFile) };
    } catch (error) {
      await level.close();
      await forgetOwner(ownerFile);
      throw error;
    }
  } catch (error) {
    mark.close();
    throw error;
  }
}

async function checkBeforeOpen(
  files: string,
  ownerFile: string,
  mark: number,
  options: OpenStoreOptions,
  log: Log,
): Promise<readonly string[]> {
  const check = await checkDirectory(files, {
    mark,
    maxTableBytes: options.checkAtStartBytes,
    numberOf: numberInBatch,
  });
  if (check.problems.length === 0 && check.cut === undefined) return check.unread;
  // Files that another process is writing may look damaged: then the lock is the true reason.
  const owner = await livingOwner(ownerFile);
  if (owner !== undefined && owner !== process.pid) throw inUse(files, owner);
  if (check.problems.length > 0) throw damaged(`${files}: ${check.problems.slice(0, 3).join('; ')}`);
  if (check.cut !== undefined) {
    const copy = join(options.directory, `${check.cut.file}.damaged`);
    log.warn('the end of the write-ahead log is torn and was never acknowledged as synced; it is cut off', {
      ...check.cut,
      copy,
    });
    await cutLog(files, check.cut, copy);
  }
  return check.unread;
}

function numberInBatch(batch: Uint8Array): number | undefined {
  try {
    const stored = valueInBatch(batch, COUNTER_KEY);
    return stored === undefined ? undefined : openCounter(stored);
  } catch {
    // A batch that cannot be read has no number: the caller reports it.
    return undefined;
  }
}

async function openLevel(files: string, ownerFile: string, options: OpenStoreOptions): Promise<Level> {
  const level: Level = new ClassicLevel<Uint8Array, Uint8Array>(files, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Hashes, signatures and compressed payloads do not shrink, and the index stays readable for the check of tables.
    compression: false,
    cacheSize: options.cacheBytes,
    writeBufferSize: options.writeBufferBytes,
  });
  try {
    await level.open();
    return level;
  } catch (error) {
    const cause = (error as { cause?: unknown }).cause ?? error;
    const code = (cause as { code?: unknown }).code;
    if (code === 'LEVEL_LOCKED') throw inUse(files, await livingOwner(ownerFile));
    if (code === 'LEVEL_CORRUPTION') throw damaged(`${files}: ${messageOf(cause)}`, error);
    if (/does not exist|missing files|CURRENT file/i.test(messageOf(cause))) {
      throw damaged(`${files}: ${messageOf(cause)}`, error);
    }
    throw failure('ERR_STORAGE_IO', `${files} cannot be opened: ${messageOf(cause)}`, { cause: error });
  }
}

function inUse(files: string, owner: number | undefined): Error {
  const who = owner === undefined || owner === 0 ? 'another process' : `process ${owner}`;
  return failure('ERR_STORAGE_IN_USE', `${who} holds the store ${files}`, {
    hint: 'Stop that process; never delete the LOCK file.',
    ...(owner === undefined ? {} : { data: { pid: owner } }),
  });
}

interface Identification {
  readonly marker: string | undefined;
  readonly markerFile: string;
  readonly mark: HighWaterMark;
  readonly random: (length: number) => Uint8Array;
}

/** Compares the store with its marker and its mark; makes both for a new one. Answers the number of the last batch. */
async function identify(level: Level, { marker, markerFile, mark, random }: Identification): Promise<number> {
  const [storedId, storedCounter] = await level.getMany([STORE_ID_KEY, COUNTER_KEY]);
  const id = storedId === undefined ? undefined : toHex(openValue(STORE_ID_KEY, storedId));
  const counter = storedCounter === undefined ? 0 : openCounter(storedCounter);
  if (marker === undefined) {
    // The number 1 is the batch that writes the id: a crash before the marker was written leaves exactly that.
    if (counter > 1 || (id === undefined && (await level.keys({ limit: 1 }).all()).length > 0)) {
      throw damaged(`the store holds ${counter} batches, but its marker ${markerFile} is missing`);
    }
    const storeId = random(16);
    const batch = level.batch();
    batch.put(STORE_ID_KEY, sealValue(STORE_ID_KEY, storeId));
    batch.put(COUNTER_KEY, sealCounter(1));
    await batch.write({ sync: true });
    await writeDurably(markerFile, `${JSON.stringify({ format: STORE_FORMAT, storeId: toHex(storeId) })}\n`);
    return 1;
  }
  if (id !== marker) throw damaged(`the store is ${id ?? 'empty'}, but its marker says ${marker}`);
  if (counter < mark.value) {
    throw damaged(`the last ${mark.value - counter} batches that were acknowledged as on disk are missing`);
  }
  return counter;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** The error to answer for what LevelDB threw while the store was open. */
export function levelError(error: unknown, doing: string): Error {
  if (isItChainError(error)) return error;
  const cause = (error as { cause?: unknown }).cause ?? error;
  const code = (error as { code?: unknown }).code;
  if (code === 'LEVEL_CORRUPTION') return damaged(`${doing}: ${messageOf(error)}`, error);
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') {
    return failure('ERR_STORAGE_CLOSED', `${doing}: the store is closed`, { cause: error, retryable: true });
  }
  return failure('ERR_STORAGE_IO', `${doing}: ${messageOf(cause)}`, { cause: error });
}
