import { isItChainError, type FatalKind } from '@it-chain/contracts';
import type { NodeFailure } from './node-options.js';

const FATAL: Readonly<Record<FatalKind, number>> = { failed: 1, damaged: 10, io: 11, safety: 13, 'in-use': 14 };

const CODES: Readonly<Record<string, number>> = {
  ERR_BUS_UNREACHABLE: 3,
  ERR_CLI_CANNOT_CONNECT: 3,
  ERR_BUS_NO_PROVIDER: 3,
  ERR_CLI_NOT_FOUND: 4,
  ERR_BLOCK_NOT_FOUND: 4,
  ERR_CLI_USAGE: 2,
  ERR_PEER_ADDRESS: 2,
  ERR_API_UNKNOWN_EVENT: 2,
  ERR_JOIN_REFUSED: 5,
  ERR_DIFFERENT_NETWORK: 5,
  ERR_NETWORK_RECOVERED: 5,
  ERR_RECOVERY_REFUSED: 5,
  ERR_STORAGE_DAMAGED: 10,
  ERR_IDENTITY_GUARD_DAMAGED: 10,
  ERR_CONSENSUS_LOG_DAMAGED: 10,
  ERR_IDENTITY_GUARD_FAILED: 11,
  ERR_STORAGE_IO: 11,
  ENOSPC: 11,
  EDQUOT: 11,
  EIO: 11,
  EROFS: 11,
  ERR_IDENTITY_KEY_PERMISSIONS: 12,
  ERR_IDENTITY_KEY_DAMAGED: 12,
  ERR_IDENTITY_UNREADABLE: 12,
  ERR_NODE_DATA_DIR: 12,
  EACCES: 12,
  EPERM: 12,
  ERR_SAFETY_VIOLATION: 13,
  ERR_CHAIN_DIVERGED: 13,
  ERR_IDENTITY_DOUBLE_SIGN: 13,
  ERR_STORAGE_IN_USE: 14,
  ERR_ROLE_TAKEN: 14,
  ERR_NODE_ABORTED: 1,
  ERR_NODE_EXITED: 1,
  ERR_NODE_UNCAUGHT: 1,
};

/** Codes that begin like this mean wrong usage or configuration. */
const CONFIGURATION = /^ERR_(CONFIG|PLUGIN|NODE)_/;
const MAX_CAUSES = 8;

/**
 * The exit code of the process for an error, or for a plugin's fatal call: 0 ok, 1 failed, 2 usage or configuration,
 * 3 cannot connect, 4 not found, 5 refused, 10 damaged, 11 disk full or I/O, 12 key or permissions, 13 safety, 14 in use.
 * The first cause with a code of its own decides.
 */
export function exitCodeOf(problem: unknown): number {
  if (isFailure(problem)) return FATAL[problem.kind];
  let general: number | undefined;
  let current: unknown = problem;
  for (let depth = 0; depth < MAX_CAUSES && typeof current === 'object' && current !== null; depth += 1) {
    const { code, cause } = current as { code?: unknown; cause?: unknown };
    const kind = isItChainError(current) ? current.data?.['kind'] : undefined;
    if (typeof kind === 'string' && kind in FATAL) return FATAL[kind as FatalKind];
    if (typeof code === 'string') {
      const exit = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
      if (exit !== undefined) return exit;
      if (CONFIGURATION.test(code)) general ??= 2;
    }
    current = cause;
  }
  return general ?? 1;
}

function isFailure(problem: unknown): problem is NodeFailure {
  if (typeof problem !== 'object' || problem === null || problem instanceof Error) return false;
  const { kind } = problem as { kind?: unknown };
  return typeof kind === 'string' && kind in FATAL;
}
