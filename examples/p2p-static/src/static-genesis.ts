import { GENESIS_DEFAULTS, Genesis, fromHex, networkOf, sha256, utf8 } from '@it-chain/contracts';
import type { StaticConfig } from './static-config.js';

/** A genesis with its bytes and its digest. */
export interface StaticGenesis {
  readonly value: Genesis;
  readonly bytes: Uint8Array;
  readonly network: Uint8Array;
}

/**
 * The genesis that the config says: a function of it, so nodes with the same config belong to the same network without
 * having met. Nobody is admitted: the allowlist is empty.
 */
export function staticGenesis(
  config: Pick<StaticConfig, 'network' | 'members' | 'leaderTerm'>,
  application: string,
): StaticGenesis {
  const validators = config.members.map(({ publicKey }) => fromHex(publicKey, 32) ?? new Uint8Array(32));
  const value: Genesis = {
    ...GENESIS_DEFAULTS,
    nonce: sha256(utf8(`p2p-static/${config.network}`)),
    founder: validators[0] ?? new Uint8Array(32),
    validators,
    admission: 'allowlist',
    growth: 'immediate',
    leaderTerm: config.leaderTerm,
    application,
    time: 1,
  };
  const bytes = Genesis.encode(value);
  return { value, bytes, network: networkOf(value) };
}
