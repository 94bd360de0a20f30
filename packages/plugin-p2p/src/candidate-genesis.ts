import { fromHex, GENESIS_DEFAULTS, type Genesis } from '@it-chain/contracts';
import type { P2pConfig } from './p2p-config.js';

/** What the founder of a network brings with it. */
export interface Founder {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Where its gateway listens, `HOST:PORT`; empty where that is not known. */
  readonly place: string;
  /** Name and version of the application, such as `kv/1`. */
  readonly application: string;
  /** ms since the epoch. */
  readonly time: number;
  /** 32 random bytes: no two candidates are one. */
  readonly nonce: Uint8Array;
}

/** The genesis that a node founds with. Beyond this machine whoever joins needs votes, unless the config says otherwise. */
export function candidateGenesis(
  { admission: wanted, allowlist, ...limits }: P2pConfig['genesis'],
  { publicKey, place, application, time, nonce }: Founder,
): Genesis {
  return {
    ...GENESIS_DEFAULTS,
    ...limits,
    nonce,
    founder: publicKey,
    validators: [publicKey],
    admission: wanted ?? (isLoopback(place) ? 'open' : 'vote'),
    allowlist: allowlist.map((text) => fromHex(text, 32) ?? new Uint8Array(32)),
    application,
    time,
  };
}

/** True for `host:port` on this machine only. */
export function isLoopback(place: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d+$/.test(place);
}
