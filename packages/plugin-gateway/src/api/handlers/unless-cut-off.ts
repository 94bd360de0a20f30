import { isItChainError } from '@it-chain/contracts';

const CUT_OFF: ReadonlySet<string> = new Set([
  'ERR_BUS_CLOSED',
  'ERR_BUS_UNREACHABLE',
  'ERR_BUS_TIMEOUT',
  'ERR_BUS_NO_PROVIDER',
  'ERR_BUS_PROVIDER_LOST',
]);

/**
 * The answer to a query, or undefined while the broker or the provider is away. For followers, which wait and ask again: a
 * broker that is restarted must not end every stream of the node.
 */
export async function unlessCutOff<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isItChainError(error) && CUT_OFF.has(error.code)) return undefined;
    throw error;
  }
}
