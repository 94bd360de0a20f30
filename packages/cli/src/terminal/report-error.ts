import { errorCatalogue, isItChainError, messageOf } from '@it-chain/contracts';
import { exitCodeOf } from '@it-chain/kernel/exit-code';
import { harmless } from './harmless.js';
import type { Io } from './io.js';

/** Codes by which a node says no: exit code 5. */
const REFUSED = /^ERR_(?:TX_|TXPOOL_|KV_|PEER_SELF|PEER_WRONG_ID|PEER_VERSION|API_|NETWORK_UNFOUNDED)/;
/** What the caller or the config wrote cannot be meant. */
const USAGE: ReadonlySet<string> = new Set(['ERR_API_LISTEN', 'ERR_API_INSECURE', 'ERR_API_UNKNOWN_EVENT']);
const NOT_FOUND: ReadonlySet<string> = new Set(['ERR_PEER_NOT_CONNECTED', 'ERR_BLOCK_NOT_FOUND', 'ERR_CLI_NOT_FOUND']);
const UNREACHABLE: ReadonlySet<string> = new Set(['ERR_PEER_UNREACHABLE', 'ERR_CLI_CANNOT_CONNECT']);

/** The exit code of the command for an error (docs/cli.md has the table). */
export function exitCode(error: unknown): number {
  if (isItChainError(error)) {
    if (NOT_FOUND.has(error.code)) return 4;
    if (UNREACHABLE.has(error.code)) return 3;
    if (USAGE.has(error.code)) return 2;
    if (REFUSED.test(error.code)) return 5;
  }
  return exitCodeOf(error);
}

/** How an error is told. */
export interface ReportOptions {
  readonly json: boolean;
  /** With the stack and what caused it. */
  readonly verbose: boolean;
}

/** Tells an error on standard error in three lines (what, why, try), or as one JSON line, and gives the exit code. */
export function reportError(error: unknown, options: ReportOptions, io: Io): number {
  const known = isItChainError(error);
  const code = known ? error.code : codeOf(error);
  const entry = entryOf(code);
  const message = messageOf(error);
  const hint = hintOf(error) ?? entry?.fix ?? 'Run it again with --verbose and read the log.';
  const exit = exitCode(error);
  if (options.json) {
    io.err(`${harmless(JSON.stringify({ error: { code, message, hint, exit } }))}\n`);
  } else {
    const why = entry?.when ?? 'This was not foreseen; it may be a fault of the software.';
    // Part of it may be what another node said.
    const what = message.endsWith(`; ${hint}`) ? message.slice(0, -`; ${hint}`.length) : message;
    io.err(`error: ${harmless(what)} (${code})\nwhy:   ${why}\ntry:   ${harmless(hint)}\n`);
  }
  if (options.verbose && error instanceof Error) io.err(harmless(`${error.stack ?? ''}\n${causes(error)}`));
  return exit;
}

/** What to do about it, as the innermost cause that knows says: a plugin that failed knows less than why it failed. */
function hintOf(error: unknown): string | undefined {
  let hint: string | undefined;
  let current: unknown = error;
  for (let depth = 0; depth < 5 && isItChainError(current); depth += 1) {
    hint = current.hint ?? (depth === 0 ? undefined : entryOf(current.code)?.fix) ?? hint;
    current = current.cause;
  }
  return hint;
}

function entryOf(code: string): { readonly when: string; readonly fix: string } | undefined {
  return (errorCatalogue as Readonly<Record<string, { when: string; fix: string } | undefined>>)[code];
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : 'ERR_INTERNAL';
}

function causes(error: Error): string {
  const lines: string[] = [];
  let cause = error.cause;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth += 1) {
    lines.push(`caused by: ${cause.stack ?? cause.message}`);
    cause = cause.cause;
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
