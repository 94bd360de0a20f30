import {
  Chain,
  failure,
  hasCode,
  sameBytes,
  toHex,
  type Application,
  type Block,
  type BlockCommitted,
  type Certificate,
  type ChainTip,
  type FatalKind,
  type Health,
  type Log,
  type Metrics,
  type NoticeDefinition,
  type Failpoint,
  type Snapshot,
} from '@it-chain/contracts';
import { brokenRule, isBroken, type BlockChecker, type CheckedBlock } from './block-checker.js';
import type { BlockBuilder } from './block-builder.js';
import { BlockSize } from './block-size.js';
import { stateAfter, stateAtGenesis, type ChainState } from './chain-state.js';
import type { ChainStore } from './chain-store.js';
import type { Epoch } from './epoch.js';
import { tellMembers } from './member-news.js';
import type { Pruner } from './pruner.js';
import { Serial } from './serial.js';
import type { SnapshotMaker } from './snapshot-maker.js';
import type { SnapshotRestorer } from './snapshot-restorer.js';
import type { SnapshotStore } from './snapshot-store.js';

type CheckRequest = Parameters<Chain['check']>[0];
type CheckAnswer = Awaited<ReturnType<Chain['check']>>;
type CommitRequest = Parameters<Chain['commit']>[0];
type BuiltBlock = Awaited<ReturnType<Chain['build']>>;

/** What the ledger needs of the rest of the node. */
export interface LedgerDependencies {
  readonly store: ChainStore;
  readonly snapshots: SnapshotStore;
  readonly maker: SnapshotMaker;
  readonly pruner: Pruner;
  readonly restorer: SnapshotRestorer;
  readonly epoch: Epoch;
  readonly builder: BlockBuilder;
  readonly checker: BlockChecker;
  readonly application: Application;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
  readonly fatal: (kind: FatalKind, error: Error) => void;
  readonly health: (health: Health) => void;
  readonly failpoint: Failpoint;
}

/**
 * The end of the chain and the three steps that move it on: build, check, commit. They run one after the other; the
 * memory follows the store, never the other way round.
 */
export class Ledger {
  readonly #dependencies: LedgerDependencies;
  readonly #serial = new Serial();
  readonly #size = new BlockSize();
  #building: { readonly height: number; readonly work: Promise<BuiltBlock> } | undefined;
  readonly #height;
  readonly #committed;
  #state: ChainState | undefined;
  /** The store may be ahead of the state here: it was written to, and could not be read afterwards. */
  #uncertain = false;
  /** Why there is no state although the network is known. */
  #refusal: Error | undefined;
  /** Digests of the open height whose bodies are in the store. */
  #stored = new Map<string, Uint8Array>();

  constructor(dependencies: LedgerDependencies) {
    this.#dependencies = dependencies;
    const { metrics } = dependencies;
    this.#height = metrics.gauge('chain_height', 'Height of the last committed block');
    this.#committed = metrics.counter('chain_transactions_total', 'Transactions committed since the start');
  }

  /** The state at the tip. @throws ERR_NETWORK_UNFOUNDED, ERR_CHAIN_APPLICATION */
  state(): ChainState {
    if (this.#state !== undefined) return this.#state;
    throw (
      this.#refusal ??
      failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network yet', {
        retryable: true,
        hint: 'Join a member, let somebody join this node, or start with --solo.',
      })
    );
  }

  /** The state for a step that builds on it: read anew where the store may be ahead. */
  async #current(): Promise<ChainState> {
    if (!this.#uncertain) return this.state();
    const { snapshots, store } = this.#dependencies;
    // What an unfinished restore has left is no state of any height.
    if (await snapshots.isRestoring()) await snapshots.wipe();
    const stored = await store.load();
    if (stored === undefined) this.#uncertain = false;
    else await this.#enter(stored);
    return this.state();
  }

  /** The state, or undefined before founding. */
  get stateIfFounded(): ChainState | undefined {
    return this.#state;
  }

  /** Loads what is stored. Before block 1 nothing is: then the network is told by {@link adopt}. */
  async load(): Promise<void> {
    await this.#serial.run(async () => {
      let state: ChainState | undefined;
      try {
        // What an unfinished restore has left is no state of any height.
        if (await this.#dependencies.snapshots.isRestoring()) await this.#dependencies.snapshots.wipe();
        state = await this.#dependencies.store.load();
      } catch (error) {
        if (hasCode(error, 'ERR_STORAGE_DAMAGED') || hasCode(error, 'ERR_DATA_MALFORMED')) {
          this.#dependencies.fatal('damaged', error);
        }
        throw error;
      }
      if (state !== undefined && (await this.#suits(state.genesis.application))) await this.#enter(state);
    });
  }

  /** Takes a network over while there is no block yet; the same one again changes nothing. True once there is a state. */
  async adopt(genesisBytes: Uint8Array): Promise<boolean> {
    return this.#serial.run(async () => {
      const { log, application, store } = this.#dependencies;
      const present = this.#uncertain ? await this.#current() : this.#state;
      if (present !== undefined && sameBytes(present.genesisBytes, genesisBytes)) return true;
      if (present !== undefined && present.tip.height > 0) {
        log.error('another network was told although this one has blocks', { network: toHex(present.network) });
        return true;
      }
      const { emptyRoot } = await application.info({});
      const state = stateAtGenesis(genesisBytes, emptyRoot);
      if (!(await this.#suits(state.genesis.application))) return false;
      // A chain may be stored already where the application did not suit before.
      const stored = (await store.load()) ?? (await this.#beginning(state));
      if (stored === undefined) return false;
      await this.#enter(stored);
      log.info('network entered', { network: toHex(state.network), height: this.state().tip.height });
      return true;
    });
  }

  /**
   * Makes the next block. Who asks again while it is being made gets the same one: on a node with too much work, blocks
   * that nobody waits for any more would stand before the checks and commits that others wait for.
   * @throws ERR_CHAIN_GAP where `height` is not the next one
   */
  build(height: number, round: number): Promise<BuiltBlock> {
    if (this.#building?.height === height) return this.#building.work;
    const work = this.#build(height, round).finally(() => {
      if (this.#building?.work === work) this.#building = undefined;
    });
    this.#building = { height, work };
    return work;
  }

  #build(height: number, round: number): Promise<BuiltBlock> {
    return this.#serial.run(async () => {
      const state = await this.#current();
      if (height !== state.tip.height + 1) {
        throw failure('ERR_CHAIN_GAP', `block ${height} was asked for where ${state.tip.height + 1} is next`);
      }
      const block = await this.#dependencies.builder.build(state, this.#size.limit(state.genesis, round));
      await this.#storeBody(block);
      this.#dependencies.checker.keep(block);
      this.#tellProposed(block);
      return { block: block.block, digest: block.digest };
    });
  }

  /** Checks a block of the next height and executes it dry. Answers a broken rule, never throws for it. */
  check({ block, fresh }: CheckRequest): Promise<CheckAnswer> {
    return this.#serial.run(async () => {
      const state = await this.#current();
      const outcome = await this.#dependencies.checker.check(state, block, fresh);
      if (isBroken(outcome)) {
        this.#dependencies.log.debug('a block is not valid', { rule: outcome.rule });
        return { valid: false, digest: outcome.digest ?? new Uint8Array(32), reason: outcome.rule.slice(0, 1_024) };
      }
      const isNew = outcome.bodyBytes === undefined;
      await this.#dependencies.checker.execute(state, outcome);
      await this.#storeBody(outcome);
      if (isNew) this.#tellProposed(outcome);
      return { valid: true, digest: outcome.digest, reason: '' };
    });
  }

  /**
   * Commits a decided block in one batch and answers the new tip.
   * @throws ERR_BLOCK_NOT_FOUND, ERR_BLOCK_INVALID, ERR_CHAIN_GAP, ERR_SAFETY_VIOLATION, ERR_CHAIN_DIVERGED
   */
  commit(request: CommitRequest): Promise<ChainTip> {
    return this.#serial.run(async () => {
      const state = await this.#current();
      const { height, digest, certificate } = request;
      if (height <= state.tip.height) return this.#committedBefore(state, height, digest);
      if (height > state.tip.height + 1) {
        throw failure('ERR_CHAIN_GAP', `block ${height} cannot follow the tip at ${state.tip.height}`);
      }
      if (certificate.height !== height || !sameBytes(certificate.digest, digest)) {
        throw failure('ERR_CERTIFICATE_INVALID', `the certificate of block ${height} is for another block`);
      }
      const block = await this.#decided(state, height, digest, request.block);
      const executed = await this.#dependencies.checker.execute(state, block);
      const after = stateAfter(state, block.header, digest, executed);
      await this.#write(state, after, block, request);
      this.#dependencies.failpoint('commit.after-batch');
      this.#dependencies.checker.forget();
      this.#setState(after);
      this.#stored = new Map();
      this.#committed.add(block.ids.length);
      tellMembers(this.#dependencies.log, state.system, after.system, after.tip.height);
      this.#size.decided(state.genesis, certificate.round, block.ids.length);
      this.#tellCommitted(block, certificate);
      await this.#dependencies.maker.committed(after);
      await this.#dependencies.pruner.committed(after);
      this.#dependencies.failpoint('commit.after-event');
      return after.tip;
    });
  }

  /** The highest snapshot that one of these peers offers; not checked. */
  findSnapshot(peers: readonly string[]): ReturnType<SnapshotRestorer['find']> {
    return this.#dependencies.restorer.find(peers);
  }

  /** Begins a chain of height 0 with a snapshot. @throws ERR_SNAPSHOT_INVALID */
  restore(snapshot: Snapshot, peer: string): Promise<ChainTip> {
    return this.#serial.run(async () => {
      const before = await this.#current();
      this.#uncertain = true;
      await this.#dependencies.restorer.restore(before, snapshot, peer);
      const { tip } = await this.#current();
      if (tip.height > 0) return tip;
      throw failure('ERR_STORAGE_DAMAGED', 'a restored snapshot is not in the store');
    });
  }

  /** Changes the stored chain over to the network that recovers it; told again it changes nothing. @throws ERR_RECOVERY_REFUSED */
  recover(genesis: Uint8Array): Promise<ChainTip> {
    return this.#serial.run(async () => {
      const state = await this.#current();
      if (sameBytes(state.genesisBytes, genesis)) return state.tip;
      this.#uncertain = true;
      await this.#dependencies.epoch.recover(state, genesis);
      return (await this.#current()).tip;
    });
  }

  async #committedBefore(state: ChainState, height: number, digest: Uint8Array): Promise<ChainTip> {
    // What lies below the snapshot that the chain began with cannot be compared; it is certified by the one above.
    if (height <= (this.#dependencies.store.base?.height ?? 0)) return state.tip;
    const stored = height === 0 ? state.network : (await this.#dependencies.store.header(height))?.digest;
    if (stored !== undefined && sameBytes(stored, digest)) return state.tip;
    throw failure(
      'ERR_SAFETY_VIOLATION',
      `block ${toHex(digest)} was decided at height ${height}, where ${stored === undefined ? 'nothing' : toHex(stored)} is committed`,
    );
  }

  /** The decided block, checked: from memory, from the request or from the store. */
  async #decided(
    state: ChainState,
    height: number,
    digest: Uint8Array,
    given: Block | undefined,
  ): Promise<CheckedBlock> {
    const { checker, store, fatal } = this.#dependencies;
    const known = checker.known(digest);
    if (known !== undefined) return known;
    const body = given ?? (await store.body(height, digest));
    if (body === undefined) {
      throw failure('ERR_BLOCK_NOT_FOUND', `the body of block ${height} ${toHex(digest)} is not here`);
    }
    const outcome = await checker.check(state, body, false);
    if (!isBroken(outcome)) {
      if (sameBytes(outcome.digest, digest)) return outcome;
      throw brokenRule(height, `the block is ${toHex(outcome.digest)}, not the decided ${toHex(digest)}`);
    }
    if (outcome.diverged && outcome.digest !== undefined && sameBytes(outcome.digest, digest)) {
      const error = failure('ERR_CHAIN_DIVERGED', `block ${height} was certified with another ${outcome.rule}`);
      fatal('safety', error);
      throw error;
    }
    throw brokenRule(height, outcome.rule);
  }

  async #write(before: ChainState, after: ChainState, block: CheckedBlock, request: CommitRequest): Promise<void> {
    const { store, log, failpoint } = this.#dependencies;
    const { certificate, clearLogBelow, sync, digest } = request;
    const executed = await this.#dependencies.checker.execute(before, block);
    const staleBodies = [...this.#stored.values()].filter((stored) => !sameBytes(stored, digest));
    // What the store holds of this height may be another's copy of the same digest: only our own write counts.
    const { bodyBytes } = block;
    const batch = { before, after, block, executed, certificate, bodyBytes, staleBodies, clearLogBelow, sync };
    failpoint('commit.before-batch');
    try {
      await store.commit(batch);
    } catch (error) {
      // The answer may have been lost and not the write: the store says what is true, now or before the next step.
      this.#uncertain = true;
      const stored = await store.load();
      if (stored !== undefined && sameBytes(stored.tip.digest, after.tip.digest)) return;
      log.warn('a commit was not written', { height: after.tip.height });
      if (stored !== undefined && stored.tip.height !== before.tip.height) await this.#enter(stored);
      this.#uncertain = false;
      throw error;
    }
  }

  async #storeBody(block: CheckedBlock): Promise<void> {
    const { checker, failpoint } = this.#dependencies;
    failpoint('block.before-body');
    await checker.storeBody(block);
    failpoint('block.after-body');
    this.#stored.set(toHex(block.digest), block.digest);
  }

  /** What a network begins with; undefined where it recovers another one and nobody has given its state yet. */
  async #beginning(state: ChainState): Promise<ChainState | undefined> {
    const { epoch, store, health } = this.#dependencies;
    const { recovery } = state.genesis;
    if (recovery === undefined) return state;
    if (await epoch.join(state)) return store.load();
    const reason = `the network begins with the state after block ${recovery.height} of the one before, which no peer has given yet`;
    this.#refusal = failure('ERR_NETWORK_UNFOUNDED', reason, {
      retryable: true,
      hint: 'Connect to a node that took part in the recovery, or that has begun with it.',
    });
    health({ state: 'degraded', reason });
    return undefined;
  }

  async #suits(wanted: string): Promise<boolean> {
    const { application, health } = this.#dependencies;
    const { name } = await application.info({});
    if (name === wanted) return true;
    const reason = `the network runs the application "${wanted}", this node has "${name}"`;
    this.#refusal = failure('ERR_CHAIN_APPLICATION', reason, { hint: 'Configure the application that is named.' });
    health({ state: 'failing', reason });
    return false;
  }

  async #enter(state: ChainState): Promise<void> {
    const { checker, store, health } = this.#dependencies;
    checker.forget();
    const bodies = await store.storedBodies(state.tip.height + 1);
    this.#stored = new Map(bodies.map((digest) => [toHex(digest), digest]));
    if (this.#refusal !== undefined) health({ state: 'ok' });
    this.#refusal = undefined;
    this.#setState(state);
  }

  #setState(state: ChainState): void {
    this.#state = state;
    this.#uncertain = false;
    this.#height.set(state.tip.height);
  }

  #tellProposed({ header, digest, ids }: CheckedBlock): void {
    const body = { height: header.height, digest, transactions: ids.length, ids };
    // Not waited for: an event is a hint, and its listeners may call this role.
    void this.#dependencies.emit(Chain.events.proposed, body);
  }

  #tellCommitted({ header, digest, ids }: CheckedBlock, certificate: Certificate): void {
    const { height, proposer, time } = header;
    const body: BlockCommitted = {
      height,
      digest,
      transactions: ids,
      proposer,
      time,
      tip: height,
      round: certificate.round,
    };
    void this.#dependencies.emit(Chain.events.committed, body);
  }
}
