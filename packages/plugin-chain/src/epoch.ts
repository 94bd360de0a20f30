import {
  Genesis,
  SystemState,
  failure,
  hasCode,
  isMemberOf,
  messageOf,
  networkOf,
  readSnapshot,
  recoveredSystemState,
  recoveryProblem,
  sameBytes,
  systemRootOf,
  toHex,
  type Application,
  type Log,
  type PluginContext,
  type Snapshot,
  type Transport,
} from '@it-chain/contracts';
import { stateAtSnapshot, type ChainState } from './chain-state.js';
import { copyState } from './copy-state.js';
import type { SnapshotRestorer } from './snapshot-restorer.js';
import type { SnapshotStore } from './snapshot-store.js';

/** Peers that are asked for the beginning at a time. */
const ASKED_AT_ONCE = 3;
const MAX_TOLD = 100;
const EMPTY = new Uint8Array(0);

/** What the beginning of an epoch is made with. */
export interface EpochDependencies {
  readonly snapshots: SnapshotStore;
  readonly restorer: SnapshotRestorer;
  readonly application: Application;
  readonly transport: Pick<Transport, 'sessions'>;
  readonly verify: PluginContext['verify'];
  readonly log: Log;
}

/**
 * The beginning of a network that recovers another one: it does not begin with an empty state but with that of a block of
 * the network before. A node that has this block goes on from it; every other one gets the state from a member.
 */
export class Epoch {
  readonly #with: EpochDependencies;
  /** Peers whose offer did not hold; asked again when nobody else is left. */
  readonly #refused = new Set<string>();
  /** Peers whose failure was told; later ones are told at debug. */
  readonly #told = new Set<string>();

  constructor(dependencies: EpochDependencies) {
    this.#with = dependencies;
  }

  /**
   * Changes the stored chain over to the network of a genesis that recovers it, in one batch. State, receipts and committed
   * ids stay; blocks stay in the store and are not part of the new chain.
   * @throws ERR_RECOVERY_REFUSED where the genesis does not go on from this very chain, ERR_DATA_MALFORMED
   */
  async recover(before: ChainState, genesisBytes: Uint8Array): Promise<void> {
    const { application, snapshots, log } = this.#with;
    const genesis = Genesis.decodeCanonical(genesisBytes);
    const system = recoveredFrom(before, genesis);
    const { height, applicationRoot } = before.tip;
    await this.#requireState(before);
    const pages = await copyState({ height, root: applicationRoot }, { application, snapshots });
    const snapshot: Snapshot = {
      version: 2,
      height,
      header: EMPTY,
      next: EMPTY,
      system: SystemState.encode(system),
      applicationRoot,
      pages: pages ?? 0,
      sets: [],
    };
    const started = { ...before, genesis, genesisBytes, network: networkOf(genesis) };
    const after = stateAtSnapshot(started, snapshot, readSnapshot(genesis, snapshot));
    await snapshots.changeNetwork(before, after, snapshot, pages !== undefined);
    log.info('this chain goes on in another network', {
      height,
      before: toHex(before.network),
      network: toHex(after.network),
      pages,
    });
  }

  /**
   * Gets the state that the network begins with, or a later snapshot, from a peer. The peer can withhold, it cannot lie.
   * @returns false where nobody had one that holds; to be tried again
   */
  async join(before: ChainState): Promise<boolean> {
    const { restorer, log } = this.#with;
    const { snapshot, peer } = await this.#offer();
    if (snapshot === undefined) return false;
    try {
      const { checks } = readSnapshot(before.genesis, snapshot);
      if (!(await this.#with.verify(checks)).every(Boolean)) {
        throw failure('ERR_CERTIFICATE_INVALID', `the snapshot of height ${snapshot.height} has invalid signatures`);
      }
      await restorer.restore(before, snapshot, peer);
      return true;
    } catch (error) {
      this.#refused.add(peer);
      const say = this.#told.has(peer) ? log.debug.bind(log) : log.warn.bind(log);
      if (this.#told.size < MAX_TOLD) this.#told.add(peer);
      say('the beginning of a recovered network was not taken from a peer', { peer, reason: messageOf(error) });
      return false;
    }
  }

  async #offer(): Promise<{ readonly snapshot?: Snapshot | undefined; readonly peer: string }> {
    const { sessions } = await this.#with.transport.sessions({});
    const all = sessions.map(({ nodeId }) => nodeId);
    if (all.every((peer) => this.#refused.has(peer))) this.#refused.clear();
    const peers = all.filter((peer) => !this.#refused.has(peer));
    for (let at = 0; at < peers.length; at += ASKED_AT_ONCE) {
      const found = await this.#with.restorer.find(peers.slice(at, at + ASKED_AT_ONCE));
      if (found.snapshot !== undefined) return found;
    }
    return { peer: '' };
  }

  /** The copy of the state that was carried over must be whole: an empty block on it comes to the same root. */
  async #requireState({ tip }: ChainState): Promise<void> {
    const { height, time, applicationRoot } = tip;
    const request = { height: height + 1, time: time + 1, transactions: [], previousRoot: applicationRoot };
    try {
      const { root } = await this.#with.application.execute(request);
      if (sameBytes(root, applicationRoot)) return;
    } catch (error) {
      if (hasCode(error, 'ERR_BUS_NO_PROVIDER')) throw error;
      throw failure('ERR_RECOVERY_REFUSED', `the application cannot read its state: ${messageOf(error)}`, {
        cause: error,
      });
    }
    throw failure('ERR_RECOVERY_REFUSED', 'the application changes its state without a transaction');
  }
}

/** The members that the network of `genesis` begins with, where it goes on from the tip of `before`. */
function recoveredFrom({ network, tip, system, genesis: before }: ChainState, genesis: Genesis): SystemState {
  const refused = (what: string): Error => failure('ERR_RECOVERY_REFUSED', `the genesis ${what}`);
  const problem = recoveryProblem(genesis);
  if (problem !== undefined) throw refused(problem);
  const { recovery } = genesis;
  if (recovery === undefined) throw refused('recovers no network');
  if (!sameBytes(recovery.network, network)) {
    throw refused(`recovers the network ${toHex(recovery.network)}, this node belongs to ${toHex(network)}`);
  }
  if (recovery.height !== tip.height)
    throw refused(`goes on from height ${recovery.height}, this node is at ${tip.height}`);
  if (!sameBytes(recovery.digest, tip.digest)) throw refused(`goes on from another block of height ${tip.height}`);
  if (!sameBytes(recovery.stateRoot, tip.stateRoot)) {
    throw refused(`names another state after block ${tip.height} than this node has come to`);
  }
  if (!sameBytes(recovery.applicationRoot, tip.applicationRoot))
    throw refused('names another state of the application');
  // Whoever follows agrees to a set and a block, and is told of nothing else.
  if (!sameBytes(rulesOf(genesis), rulesOf(before)) || genesis.minValidators > before.minValidators)
    throw refused('has other rules than the network before');
  const stranger = genesis.validators.find((key) => !isMemberOf(system, key));
  if (stranger !== undefined) throw refused(`names the validator ${toHex(stranger)}, which is no member`);
  const recovered = recoveredSystemState(system, genesis.validators);
  if (sameBytes(recovery.systemRoot, systemRootOf(recovered))) return recovered;
  throw refused('names other members than this node comes to');
}

/** What a genesis says besides who begins the network, when, and with whom; a smaller set may need a lower minimum. */
function rulesOf(genesis: Genesis): Uint8Array {
  const nobody = new Uint8Array(32);
  const begun = { nonce: nobody, founder: nobody, validators: [], minValidators: 0, time: 0, recovery: undefined };
  return Genesis.encode({ ...genesis, ...begun });
}
