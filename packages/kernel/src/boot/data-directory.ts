import { mkdirSync, statSync } from 'node:fs';
import { failure, messageOf, type Log } from '@it-chain/contracts';

const DISK_CODES = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS']);

/** Makes the node's data directory, readable by its owner only. @throws ERR_NODE_DATA_DIR, ERR_STORAGE_IO */
export function openDataDirectory(path: string, log: Log): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      log.warn('others can read the data directory', {
        path,
        mode: (mode & 0o777).toString(8),
        fix: `chmod 700 ${path}`,
      });
    }
  } catch (cause) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === 'string' && DISK_CODES.has(code)) {
      throw failure('ERR_STORAGE_IO', `the data directory ${path} cannot be made: ${messageOf(cause)}`, { cause });
    }
    throw failure('ERR_NODE_DATA_DIR', `the data directory ${path} cannot be made: ${messageOf(cause)}`, {
      hint: 'check node.dataDir, its owner and its permissions',
      cause,
    });
  }
}
