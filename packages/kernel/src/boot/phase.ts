import { failure, isItChainError, messageOf, type Clock } from '@it-chain/contracts';
import { withLimit } from './with-limit.js';

/** A part of a plugin's life in which its own code runs. */
export type Phase = 'setup' | 'openBus' | 'start' | 'serve' | 'accept' | 'stop';

/** Which plugin, which phase, and how long it may take. */
export interface PhaseOptions {
  readonly plugin: string;
  readonly phase: Phase;
  readonly limitMs: number;
}

/** What the context throws at a plugin that misuses it: it names the plugin already. */
const OWN_CODES = new Set([
  'ERR_PLUGIN_ROLE_UNDECLARED',
  'ERR_PLUGIN_SERVED_TWICE',
  'ERR_PLUGIN_NOT_SERVED',
  'ERR_PLUGIN_TWO_BUSES',
]);

/**
 * Runs a plugin's code within its limit.
 * @throws ERR_PLUGIN_TIMEOUT, ERR_PLUGIN_FAILED with the cause, or the kernel's own ERR_PLUGIN_* as it is
 */
export async function runPhase<T>(
  options: PhaseOptions,
  clock: Clock,
  work: () => T | PromiseLike<T>,
): Promise<Awaited<T>> {
  const { plugin, phase, limitMs } = options;
  let result: Awaited<ReturnType<typeof withLimit<T>>>;
  try {
    result = await withLimit<T>(Promise.resolve().then(work) as Promise<T>, limitMs, clock);
  } catch (cause) {
    throw phaseError(options, cause);
  }
  if ('value' in result) return result.value;
  throw failure('ERR_PLUGIN_TIMEOUT', `the plugin ${plugin} did not finish ${phase} within ${String(limitMs)} ms`, {
    hint: 'look at what it waits for; the limits are in the section timeouts of the config',
    data: { plugin, phase },
  });
}

function phaseError({ plugin, phase }: PhaseOptions, cause: unknown): Error {
  if (isItChainError(cause) && OWN_CODES.has(cause.code)) return cause;
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  const named = typeof code === 'string' && !messageOf(cause).includes(code) ? ` (${code})` : '';
  return failure('ERR_PLUGIN_FAILED', `the plugin ${plugin} failed in ${phase}: ${messageOf(cause)}${named}`, {
    hint: isItChainError(cause) ? cause.hint : undefined,
    cause,
    data: { plugin, phase, ...(typeof code === 'string' ? { cause: code } : {}) },
  });
}
