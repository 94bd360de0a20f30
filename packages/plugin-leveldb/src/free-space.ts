import { statfs } from 'node:fs/promises';
import { failure } from '@it-chain/contracts';

/** When a disk counts as full. The smaller of both limits holds, so that small and large disks are treated alike. */
export interface FreeSpaceLimits {
  /** Bytes. */
  readonly minFreeBytes: number;
  /** Percent of the file system. */
  readonly minFreePercent: number;
}

/** Bytes that are free for this user and bytes in all, of the file system of a folder. */
export interface DiskSpace {
  readonly free: number;
  readonly size: number;
}

/** Asks the file system. */
export async function diskSpace(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, size: blocks * bsize };
}

/** The low-water mark of a disk, in bytes. */
export function lowWaterMark(size: number, limits: FreeSpaceLimits): number {
  return Math.min(limits.minFreeBytes, Math.floor((size * limits.minFreePercent) / 100));
}

/** @throws ERR_STORAGE_IO where less than the low-water mark is free */
export function requireSpace(folder: string, space: DiskSpace, limits: FreeSpaceLimits): void {
  const mark = lowWaterMark(space.size, limits);
  if (space.free >= mark) return;
  throw failure(
    'ERR_STORAGE_IO',
    `${space.free} bytes are free in ${folder}, less than the low-water mark of ${mark}`,
    {
      hint: 'Free space on the disk, then start the node again.',
    },
  );
}
