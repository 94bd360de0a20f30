import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failure, messageOf } from '@it-chain/contracts';

/** Reads which store this node uses, or undefined where it has used none yet. @throws ERR_STORAGE_DAMAGED */
export async function readMarker(directory: string): Promise<string | undefined> {
  const file = join(directory, 'store.json');
  try {
    const { storeId } = JSON.parse(await readFile(file, 'utf8')) as { storeId?: unknown };
    if (typeof storeId !== 'string') throw new TypeError('it names no store');
    return storeId;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined;
    throw failure('ERR_STORAGE_DAMAGED', `the marker ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Notes which store this node uses, synced: so a database that was emptied, or is another one, is noticed. */
export async function writeMarker(directory: string, storeId: string): Promise<void> {
  const file = join(directory, 'store.json');
  await mkdir(directory, { recursive: true });
  const handle = await open(`${file}.tmp`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ storeId })}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.tmp`, file);
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
