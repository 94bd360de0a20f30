import { readFile, rm, writeFile } from 'node:fs/promises';

/** Notes which process holds the store. Information for messages only: LevelDB's own lock decides. */
export async function noteOwner(file: string): Promise<void> {
  await writeFile(file, `${process.pid}\n`, { mode: 0o600 });
}

/** Forgets the owner when the store is closed. */
export async function forgetOwner(file: string): Promise<void> {
  await rm(file, { force: true });
}

/** The process that noted itself as owner, if it is alive; this process counts too. */
export async function livingOwner(file: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(file, 'utf8'), 10);
    if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else. Everything else: no file, or no such process.
    return (error as { code?: unknown }).code === 'EPERM' ? 0 : undefined;
  }
}
