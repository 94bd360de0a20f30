import {
  ChainTip,
  Genesis,
  SystemState,
  genesisSystemState,
  genesisValidators,
  networkOf,
  sameBytes,
  scheduledSet,
  stateRootOf,
  systemRootOf,
  type BlockHeader,
  type ChainPosition,
  type ReadSnapshot,
  type Snapshot,
} from '@it-chain/contracts';

/** All that the chain knows in memory; a function of what is stored. */
export interface ChainState {
  readonly genesis: Genesis;
  /** As stored in `p2p/genesis`: a condition of every commit. */
  readonly genesisBytes: Uint8Array;
  readonly network: Uint8Array;
  readonly tip: ChainTip;
  /** As stored in `chain/tip`, absent before block 1: a condition of every commit. */
  readonly tipBytes: Uint8Array | undefined;
  readonly system: SystemState;
}

/** What the dry run of a block has come to, as far as the state goes on from it. */
export interface NextRoots {
  readonly system: SystemState;
  readonly systemRoot: Uint8Array;
  readonly applicationRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
}

/** The state before block 1. `emptyRoot` is that of the application. */
export function stateAtGenesis(genesisBytes: Uint8Array, emptyRoot: Uint8Array): ChainState {
  const genesis = Genesis.decodeCanonical(genesisBytes);
  const network = networkOf(genesis);
  const system = genesisSystemState(genesis);
  const systemRoot = systemRootOf(system);
  const validators = genesisValidators(genesis);
  const tip: ChainTip = {
    network,
    height: 0,
    digest: network,
    stateRoot: stateRootOf(systemRoot, emptyRoot),
    rootCertified: true,
    time: genesis.time,
    proposer: genesis.founder,
    proposerSequence: 0,
    validators,
    nextValidators: validators,
    learners: [],
    systemRoot,
    applicationRoot: emptyRoot,
  };
  return { genesis, genesisBytes, network, tip, tipBytes: undefined, system };
}

/** The state after a block. */
export function stateAfter(state: ChainState, header: BlockHeader, digest: Uint8Array, roots: NextRoots): ChainState {
  const tip: ChainTip = {
    network: state.network,
    height: header.height,
    digest,
    stateRoot: roots.stateRoot,
    // The certificate of this block covers the root before it: equal roots need no empty block to be certified.
    rootCertified: sameBytes(roots.stateRoot, header.previousStateRoot),
    time: header.time,
    proposer: header.proposer,
    proposerSequence: header.proposerSequence,
    validators: state.tip.nextValidators,
    nextValidators: scheduledSet(roots.system),
    learners: roots.system.learners,
    growth: roots.system.policy?.growth,
    systemRoot: roots.systemRoot,
    applicationRoot: roots.applicationRoot,
  };
  const tipBytes = ChainTip.encode(tip);
  // Read back: the keys of members are views of the blocks they came in, and would keep those alive.
  const system = SystemState.decode(SystemState.encode(roots.system));
  return { ...state, tip: ChainTip.decode(tipBytes), tipBytes, system };
}

/** The state that a snapshot holds, once it was verified. */
export function stateAtSnapshot(state: ChainState, snapshot: Snapshot, read: ReadSnapshot): ChainState {
  const { digest, time, proposer, proposerSequence, rootCertified, system, systemRoot, stateRoot, validators } = read;
  const tip: ChainTip = {
    network: state.network,
    height: snapshot.height,
    digest,
    stateRoot,
    rootCertified,
    time,
    proposer,
    proposerSequence,
    validators,
    nextValidators: scheduledSet(system),
    learners: system.learners,
    growth: system.policy?.growth,
    systemRoot,
    applicationRoot: snapshot.applicationRoot,
  };
  const tipBytes = ChainTip.encode(tip);
  return { ...state, tip: ChainTip.decode(tipBytes), tipBytes, system: SystemState.decode(SystemState.encode(system)) };
}

/** What the next header is judged by. */
export function positionOf({ network, tip }: ChainState): ChainPosition {
  const { height, digest, time, validators, nextValidators } = tip;
  return { network, height, digest, time, validators, nextValidators };
}
