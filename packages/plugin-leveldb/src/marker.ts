import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure, isItChainError, messageOf } from '@it-chain/contracts';

/** Version of the layout of keys, values and files. */
export const STORE_FORMAT = 1;

/** Says that a store was made here. It lies beside the store's directory, so an emptied directory is noticed. */
export interface Marker {
  readonly format: number;
  /** Random; the store holds the same one. Lower-case hex. */
  readonly storeId: string;
}

/** Reads the marker, or answers undefined where there is none. @throws ERR_STORAGE_DAMAGED, ERR_STORAGE_IO */
export async function readMarker(file: string): Promise<Marker | undefined> {
  try {
    const read = JSON.parse(await readFile(file, 'utf8')) as Partial<Marker>;
    if (typeof read.storeId !== 'string' || typeof read.format !== 'number') throw new TypeError('fields are missing');
    if (read.format !== STORE_FORMAT) {
      throw failure(
        'ERR_STORAGE_DAMAGED',
        `the store of ${file} has format ${read.format}, this version reads ${STORE_FORMAT}`,
        {
          hint: 'Use the version of the plugin that wrote it.',
        },
      );
    }
    return { format: read.format, storeId: read.storeId };
  } catch (cause) {
    if (isItChainError(cause)) throw cause;
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined;
    throw failure('ERR_STORAGE_DAMAGED', `the marker ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Writes a file so that after a power cut it is there whole or not at all: temporary file, fsync, rename, fsync of the folder. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
