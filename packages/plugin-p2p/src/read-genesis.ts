import {
  Genesis,
  NO_NETWORK,
  failure,
  messageOf,
  networkOf,
  recoveryProblem,
  sameBytes,
  toHex,
  type Hello,
} from '@it-chain/contracts';
import type { NetworkView } from './decide-founding.js';

/** A genesis with its bytes and its digest. */
export interface KnownGenesis {
  readonly value: Genesis;
  readonly bytes: Uint8Array;
  readonly digest: Uint8Array;
  /** The digest in hex: the network. */
  readonly network: string;
}

/** Reads a genesis in canonical form. @throws ERR_DATA_MALFORMED */
export function readGenesis(bytes: Uint8Array): KnownGenesis {
  const value = Genesis.decodeCanonical(bytes);
  const wrong = (what: string): Error => failure('ERR_DATA_MALFORMED', `a genesis ${what}`);
  if (value.version !== 1) throw wrong(`of version ${value.version}`);
  if (!value.validators.some((key) => sameBytes(key, value.founder))) throw wrong('whose founder is no validator');
  if (value.window === 0 || value.maxBlockTransactions === 0) throw wrong('that allows no transaction');
  const problem = recoveryProblem(value);
  if (problem !== undefined) throw wrong(problem);
  const digest = networkOf(value);
  return { value, bytes, digest, network: toHex(digest) };
}

/** What another node shows: its view, and the genesis that could be adopted. */
export interface ShownNetwork {
  readonly view: NetworkView;
  readonly genesis: KnownGenesis | undefined;
  readonly candidate: KnownGenesis | undefined;
}

/**
 * Reads the hello of a peer, which may say anything.
 * @throws ERR_DATA_MALFORMED where its parts contradict each other
 * @throws ERR_CHAIN_APPLICATION where its network runs another application
 */
export function readHello(hello: Hello, peer: Uint8Array, application: string): ShownNetwork {
  const genesis = hello.network === undefined ? undefined : readGenesis(hello.genesis);
  if (genesis !== undefined && hello.network !== undefined && !sameBytes(genesis.digest, hello.network)) {
    throw failure('ERR_DATA_MALFORMED', 'a hello whose genesis is not that of its network');
  }
  const shown =
    genesis !== undefined || hello.candidate.length === 0 ? undefined : readCandidate(hello.candidate, peer);
  for (const one of [genesis, shown]) {
    if (one === undefined || one.value.application === application) continue;
    throw failure(
      'ERR_CHAIN_APPLICATION',
      `the network ${one.network} runs ${one.value.application || 'no application'}, this node runs ${application}`,
    );
  }
  return {
    view: {
      network: genesis?.network,
      height: genesis === undefined ? 0 : hello.height,
      candidate: shown?.network,
      recovered: genesis?.value.recovery !== undefined,
    },
    genesis,
    candidate: shown,
  };
}

function readCandidate(bytes: Uint8Array, peer: Uint8Array): KnownGenesis {
  const candidate = readGenesis(bytes);
  const { founder, validators, recovery } = candidate.value;
  if (!sameBytes(founder, peer) || validators.length !== 1 || recovery !== undefined) {
    throw failure('ERR_DATA_MALFORMED', 'a candidate that names another founder than the node that shows it');
  }
  return candidate;
}

/** Why an error of reading a hello is told to the peer, as a code and a sentence. */
export function refusalOf(error: unknown): { readonly code: string; readonly reason: string } {
  const code = (error as { code?: unknown }).code;
  return { code: typeof code === 'string' ? code : 'ERR_DATA_MALFORMED', reason: messageOf(error).slice(0, 500) };
}

/** The network that signatures are for: 32 zero bytes before founding. */
export const networkBytes = (genesis: KnownGenesis | undefined): Uint8Array => genesis?.digest ?? NO_NETWORK;
