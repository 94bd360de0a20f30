import {
  BlockHeader,
  PEER_KINDS,
  Snapshot,
  SnapshotAnswer,
  SnapshotRequest,
  beginningOf,
  failure,
  headerDigest,
  merkleRoot,
  messageOf,
  readSnapshot,
  sameBytes,
  type Application,
  type Chain,
  type Clock,
  type HistoryEntry,
  type Infer,
  type Log,
  type Transport,
} from '@it-chain/contracts';
import { stateAtSnapshot, type ChainState } from './chain-state.js';
import type { SnapshotStore } from './snapshot-store.js';
import { LEAF_BYTES } from './stored.js';

/** Peers that are asked what they offer. */
const MAX_PEERS = 3;
/** Attempts for one answer, and the pause between them in ms: a peer bounds how often it is asked. */
const ATTEMPTS = 10;
const PAUSE_MS = 200;
/** How long a restore may take, in ms: as long as whoever asked for it waits. A peer that never ends holds nothing up longer. */
const RESTORE_MS = 3_600_000;

/** What a restore works with. */
export interface SnapshotRestorerDependencies {
  readonly snapshots: SnapshotStore;
  readonly application: Application;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where the parts of a snapshot come from, and when it is given up: at this time of the clock, or with no bytes left. */
interface Source {
  readonly peer: string;
  readonly end: number;
  bytesLeft: number;
}

/** Begins a chain with a snapshot of a peer. The peer can withhold, it cannot lie: everything leads to a certified header. */
export class SnapshotRestorer {
  readonly #maxRestoreBytes: number;
  readonly #with: SnapshotRestorerDependencies;

  constructor(options: { readonly maxRestoreBytes: number }, dependencies: SnapshotRestorerDependencies) {
    this.#maxRestoreBytes = options.maxRestoreBytes;
    this.#with = dependencies;
  }

  /** The highest snapshot that one of these peers offers; not checked. */
  async find(peers: readonly string[]): Promise<Awaited<ReturnType<NonNullable<Chain['findSnapshot']>>>> {
    const offers = await Promise.all(peers.slice(0, MAX_PEERS).map((peer) => this.#offerOf(peer)));
    const [best] = offers.flatMap((offer) => offer ?? []).sort((a, b) => b.snapshot.height - a.snapshot.height);
    return best ?? { peer: '' };
  }

  /**
   * Fetches and writes all of a snapshot whose certificates the caller has verified, and makes it the chain's.
   * @throws ERR_SNAPSHOT_INVALID, ERR_PEER_*, and whatever the application says to a wrong page
   */
  async restore(before: ChainState, snapshot: Snapshot, peer: string): Promise<ChainState> {
    const { snapshots, log } = this.#with;
    if (before.tip.height > 0) {
      throw failure('ERR_SNAPSHOT_INVALID', `a chain of height ${before.tip.height} does not begin with a snapshot`);
    }
    const read = readSnapshot(before.genesis, snapshot);
    const after = stateAtSnapshot(before, snapshot, read);
    await snapshots.begin(before);
    const source = { peer, end: this.#with.clock.monotonic() + RESTORE_MS, bytesLeft: this.#maxRestoreBytes };
    try {
      await this.#state(before, snapshot, source);
      await this.#history(before, snapshot, source);
      await snapshots.finish(before, after, snapshot);
    } catch (error) {
      // The last write takes the mark away: where it is gone, only the answer to that write was lost.
      if (!(await snapshots.isRestoring())) return after;
      // Nothing of it may be left: at height 0 the state is that of the genesis.
      await snapshots.wipe();
      throw error;
    }
    log.info('the chain begins with a snapshot', { height: snapshot.height, peer });
    return after;
  }

  async #state({ tip }: ChainState, snapshot: Snapshot, source: Source): Promise<void> {
    const { application, snapshots, log } = this.#with;
    const { height, pages, applicationRoot } = snapshot;
    if (application.restore === undefined) throw failure('ERR_SNAPSHOT_INVALID', 'this application has no snapshots');
    let previousRoot = tip.applicationRoot;
    let empty = 0;
    for (let index = 0; index < pages; index += 1) {
      this.#requireTime(snapshot, source.end);
      const { page } = await this.#ask(source.peer, { pageOf: height, page: index });
      if (page === undefined) throw failure('ERR_SNAPSHOT_INVALID', `page ${index} of the snapshot did not come`);
      const { root, writes } = await application.restore({ height, previousRoot, page });
      this.#take(source, snapshot, page.length + sum(writes, ({ key, value }) => key.length + (value?.length ?? 0)));
      await snapshots.writeState(writes);
      // Nobody can compute again what a recovered network begins with: whoever has got it gives it to others.
      if (snapshot.version === 2) await snapshots.writePage(height, index, page);
      // How many pages there are nobody has certified: a liar could name billions and send nothing.
      if (sameBytes(root, previousRoot)) empty += 1;
      if (empty > 1) throw failure('ERR_SNAPSHOT_INVALID', `pages up to ${index} of the snapshot bring nothing`);
      previousRoot = root;
      if (index % 100 === 99) log.info('a snapshot is being fetched', { height, pages, got: index + 1 });
    }
    if (sameBytes(previousRoot, applicationRoot)) return;
    throw failure('ERR_SNAPSHOT_INVALID', `the pages of the snapshot of height ${height} come to another root`);
  }

  /** The lists of the last W blocks: what they hold may not be committed again. Each leads to the one below it. */
  async #history({ genesis, network }: ChainState, snapshot: Snapshot, source: Source): Promise<void> {
    // What a network before this one has committed is signed for that one, and can never run here.
    const lowest = Math.max(beginningOf(genesis) + 1, snapshot.height - genesis.window + 1);
    if (snapshot.height < lowest) return;
    let digest = headerDigest(snapshot.header, network);
    for (let height = snapshot.height; height >= lowest;) {
      this.#requireTime(snapshot, source.end);
      const { history } = await this.#ask(source.peer, { page: 0, historyFrom: height });
      const wanted = history.slice(0, height - lowest + 1);
      if (wanted.length === 0) throw failure('ERR_SNAPSHOT_INVALID', `the list of block ${height} did not come`);
      for (const entry of wanted) {
        digest = previousOf(entry, height, digest, network);
        height -= 1;
      }
      this.#take(
        source,
        snapshot,
        sum(wanted, ({ header, leaves }) => header.length + leaves.length),
      );
      await this.#with.snapshots.writeHistory(wanted);
    }
  }

  #requireTime({ height }: Snapshot, end: number): void {
    if (this.#with.clock.monotonic() < end) return;
    throw failure('ERR_SNAPSHOT_INVALID', `the snapshot of height ${height} did not come within ${RESTORE_MS} ms`);
  }

  /** Its root proves a state at its end only: until then a liar must not be able to fill the disk. */
  #take(source: Source, { height }: Snapshot, bytes: number): void {
    source.bytesLeft -= bytes;
    if (source.bytesLeft >= 0) return;
    throw failure(
      'ERR_SNAPSHOT_INVALID',
      `the snapshot of height ${height} has more than ${this.#maxRestoreBytes} bytes`,
      {
        hint: 'Where the state really is that large, raise snapshots.maxRestoreBytes of the chain.',
      },
    );
  }

  async #offerOf(peer: string): Promise<{ snapshot: Snapshot; peer: string } | undefined> {
    try {
      const { snapshot } = await this.#ask(peer, { page: 0 }, 1);
      return snapshot === undefined ? undefined : { snapshot: Snapshot.decode(snapshot), peer };
    } catch (error) {
      this.#with.log.debug('a peer offers no snapshot', { peer, reason: messageOf(error) });
      return undefined;
    }
  }

  async #ask(
    peer: string,
    request: Infer<typeof SnapshotRequest>,
    attempts = ATTEMPTS,
  ): Promise<Infer<typeof SnapshotAnswer>> {
    const { transport, clock } = this.#with;
    const body = SnapshotRequest.encode(request);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return SnapshotAnswer.decode((await transport.fetch({ peer, kind: PEER_KINDS.snapshot, body })).body);
      } catch (error) {
        if (attempt >= attempts) throw error;
        await clock.sleep(PAUSE_MS);
      }
    }
  }
}

/** The digest of the parent, once the list is found to be that of the header with `digest`. */
function previousOf(entry: HistoryEntry, height: number, digest: Uint8Array, network: Uint8Array): Uint8Array {
  const invalid = (what: string): Error => failure('ERR_SNAPSHOT_INVALID', `the list of block ${height} ${what}`);
  if (!sameBytes(headerDigest(entry.header, network), digest)) throw invalid('is of another block');
  const header = BlockHeader.decodeCanonical(entry.header);
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < entry.leaves.length; at += LEAF_BYTES) leaves.push(entry.leaves.subarray(at, at + LEAF_BYTES));
  const whole = entry.leaves.length === header.transactionCount * LEAF_BYTES;
  if (header.height !== height || !whole || !sameBytes(merkleRoot(leaves), header.transactionRoot)) {
    throw invalid('is not what its header commits to');
  }
  return header.previous;
}

const sum = <T>(list: readonly T[], of: (one: T) => number): number => list.reduce((total, one) => total + of(one), 0);
