import { messageOf, type Clock } from '@it-chain/contracts';
import { withLimit } from '../boot/with-limit.js';
import type { Problem } from '../config/problem.js';

/** What a module exports as default, or why it could not be imported. */
export type ImportResult =
  { readonly exported: unknown } | { readonly finding: Pick<Problem, 'code' | 'message' | 'hint' | 'cause'> };

/** Imports a plugin's module; a throw and an import that never settles are findings that name it. */
export async function importPlugin(url: string, limitMs: number, clock: Clock): Promise<ImportResult> {
  try {
    const result = await withLimit(import(url) as Promise<unknown>, limitMs, clock);
    if ('timedOut' in result) {
      return failed(
        `importing ${url} did not finish within ${String(limitMs)} ms`,
        'look for an await at the top level of the module that never settles',
      );
    }
    return { exported: defaultOf(result.value) };
  } catch (cause) {
    return failed(
      `importing ${url} failed: ${messageOf(cause)}`,
      'import the module on its own to see more: node --input-type=module -e "await import(\'…\')"',
      cause,
    );
  }
}

/** The default export; a CommonJS module compiled from ESM carries it one level deeper. */
function defaultOf(module: unknown): unknown {
  const exported = (module as { default?: unknown }).default;
  const inner = exported as { __esModule?: unknown; default?: unknown } | null | undefined;
  return typeof inner === 'object' && inner !== null && inner.__esModule === true ? inner.default : exported;
}

function failed(message: string, hint: string, cause?: unknown): ImportResult {
  return { finding: { code: 'ERR_PLUGIN_IMPORT', message, hint, cause } };
}
