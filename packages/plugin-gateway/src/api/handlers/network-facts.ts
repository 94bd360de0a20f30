import { Genesis, hasCode, networkOf, type Call, type ChainTip } from '@it-chain/contracts';
import type { ClientApiDependencies } from './handlers.js';

/** The network this node is of, or would found. */
export interface NetworkFacts {
  /** The encoded genesis or candidate. */
  readonly encoded: Uint8Array;
  readonly genesis: Genesis;
  /** Its digest, 32 bytes. */
  readonly network: Uint8Array;
  readonly settled: boolean;
}

/** The genesis, or the candidate of an unfounded node; undefined where p2p has neither yet. */
export async function networkFacts(
  { p2p }: Pick<ClientApiDependencies, 'p2p'>,
  call: Call,
): Promise<NetworkFacts | undefined> {
  const { genesis: settled, candidate } = await p2p.network({}, call);
  const encoded = settled ?? candidate;
  if (encoded === undefined) return undefined;
  const genesis = Genesis.decode(encoded);
  return { encoded, genesis, network: networkOf(genesis), settled: settled !== undefined };
}

/** The tip, or undefined before founding. */
export async function tipIfFounded(
  { chain }: Pick<ClientApiDependencies, 'chain'>,
  call: Call,
): Promise<ChainTip | undefined> {
  return ifFounded(() => chain.tip({}, call));
}

/** The answer, or undefined before founding. */
export async function ifFounded<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (hasCode(error, 'ERR_NETWORK_UNFOUNDED')) return undefined;
    throw error;
  }
}
