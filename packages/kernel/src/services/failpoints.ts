import { readFileSync, rmSync } from 'node:fs';
import { FAILPOINTS, failure, noFailpoint, type Failpoint, type FailpointName } from '@it-chain/contracts';

/** The variable that arms a failpoint. */
export const FAILPOINT_VARIABLE = 'IT_CHAIN_FAILPOINT';

/** What a process does at its failpoints. */
export interface Failpoints {
  readonly pass: Failpoint;
  /** To be logged as a warning, because the variable is set. */
  readonly notice?: string | undefined;
}

interface Armed {
  readonly name: FailpointName;
  /** Passes left until the process ends. */
  left: number;
}

/**
 * Reads the variable `IT_CHAIN_FAILPOINT`: `NAME` or `NAME:N` ends the process with SIGKILL at the N-th pass of that
 * failpoint; `@FILE` does so once a file with such a line appears, and removes it first. Honoured only with
 * `NODE_ENV=test`; else every pass is a call of an empty function.
 * @throws ERR_CONFIG_INVALID for a name that is none
 */
export function createFailpoints(
  env: Readonly<Record<string, string | undefined>>,
  end: () => void = () => process.kill(process.pid, 'SIGKILL'),
): Failpoints {
  const value = env[FAILPOINT_VARIABLE];
  if (value === undefined || value === '') return { pass: noFailpoint };
  if (env['NODE_ENV'] !== 'test') {
    return { pass: noFailpoint, notice: `${FAILPOINT_VARIABLE} is ignored: NODE_ENV is not "test"` };
  }
  const notice = `${FAILPOINT_VARIABLE} is set: this process ends itself at a failpoint, it must never carry a network`;
  if (value.startsWith('@')) return { pass: watching(value.slice(1), end), notice };
  return { pass: counting(parse(value), end), notice };
}

function counting(armed: Armed, end: () => void): Failpoint {
  return (name) => {
    if (name !== armed.name) return;
    armed.left -= 1;
    if (armed.left === 0) end();
  };
}

/** Looks for the file at every pass, so that a running node can be armed: slow, and only ever done in a test. */
function watching(file: string, end: () => void): Failpoint {
  let armed: Armed | undefined;
  return (name) => {
    armed ??= readArmed(file);
    if (armed?.name !== name) return;
    armed.left -= 1;
    if (armed.left > 0) return;
    armed = undefined;
    end();
  };
}

function readArmed(file: string): Armed | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
  rmSync(file);
  return parse(text.trim());
}

function parse(text: string): Armed {
  const [, name = '', count = '1'] = /^([a-z.-]+)(?::(\d{1,9}))?$/.exec(text) ?? [];
  if (!Object.hasOwn(FAILPOINTS, name) || Number(count) < 1) {
    throw failure('ERR_CONFIG_INVALID', `${FAILPOINT_VARIABLE}: "${text.slice(0, 64)}" is no failpoint`, {
      hint: `one of ${Object.keys(FAILPOINTS).join(', ')}`,
    });
  }
  return { name: name as FailpointName, left: Number(count) };
}
