import { existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What is under way, so that a swap that was cut short is finished by the next command. */
interface Swap {
  readonly entries: readonly string[];
  readonly kept: string;
}

const swapFile = (dataDir: string): string => join(dataDir, 'rebuild.json');

/** Where a store is built anew beside the one of the node. */
export const rebuildFolder = (dataDir: string): string => join(dataDir, 'rebuild');

/** Finishes a swap that was cut short, or removes what an interrupted rebuild has left. */
export async function finishSwap(dataDir: string): Promise<void> {
  if (existsSync(swapFile(dataDir))) {
    await swap(dataDir, JSON.parse(await readFile(swapFile(dataDir), 'utf8')) as Swap);
    return;
  }
  await rm(rebuildFolder(dataDir), { recursive: true, force: true });
}

/**
 * Puts the store that was built in {@link rebuildFolder} in the place of the node's, and keeps the old one. Key, guard and
 * everything else of the data directory stay as they are.
 * @returns the folder that holds the old store
 */
export async function swapStore(dataDir: string, reason: string): Promise<string> {
  const entries = await readdir(join(rebuildFolder(dataDir), 'plugins'));
  let number = 1;
  while (existsSync(join(dataDir, `before-${reason}-${number}`))) number += 1;
  const plan: Swap = { entries, kept: `before-${reason}-${number}` };
  const file = await open(swapFile(dataDir), 'w', 0o600);
  await file.writeFile(JSON.stringify(plan));
  await file.sync();
  await file.close();
  await syncFolder(dataDir);
  await swap(dataDir, plan);
  return join(dataDir, plan.kept);
}

/** Each step may be cut off and done again: an entry that is still in the rebuild folder was not swapped. */
async function swap(dataDir: string, { entries, kept }: Swap): Promise<void> {
  const [from, to, aside] = [join(rebuildFolder(dataDir), 'plugins'), join(dataDir, 'plugins'), join(dataDir, kept)];
  await mkdir(aside, { recursive: true, mode: 0o700 });
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of entries) {
    if (!existsSync(join(from, entry))) continue;
    // A refused start in between may have made an empty folder of this name: nothing is removed, it is kept too.
    const free = existsSync(join(aside, entry)) ? `${entry}.later` : entry;
    if (existsSync(join(to, entry))) await rename(join(to, entry), join(aside, free));
    await rename(join(from, entry), join(to, entry));
  }
  for (const folder of [aside, to]) await syncFolder(folder);
  await rm(swapFile(dataDir));
  await rm(rebuildFolder(dataDir), { recursive: true, force: true });
  await syncFolder(dataDir);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
