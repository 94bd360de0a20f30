import { NodeRecord, nodeIdOf, sameBytes, type MemberRole, type Session } from '@it-chain/contracts';
import type { P2pStore, StoredPeer } from './p2p-store.js';

/** What is known of another node. */
export interface PeerRow {
  readonly nodeId: string;
  readonly publicKey: Uint8Array;
  name: string;
  /** `host:port`, or empty. */
  address: string;
  /** ms since the epoch; 0 = never connected. */
  seen: number;
  /** Its record, where it is signed for the present network. */
  record: NodeRecord | undefined;
  role: MemberRole;
  session: { readonly direction: 'inbound' | 'outbound'; readonly since: number } | undefined;
}

const isMember = (row: PeerRow): boolean => row.role === 'validator' || row.role === 'learner';

/** The one peer table, without this node itself. Bounded: where it is full, strangers not seen for longest give way. */
export class PeerTable {
  readonly #maxPeers: number;
  readonly #store: P2pStore;
  readonly #rows = new Map<string, PeerRow>();
  readonly #dirty = new Map<string, StoredPeer | undefined>();
  #network: Uint8Array | undefined;

  constructor({ maxPeers }: { readonly maxPeers: number }, { store }: { readonly store: P2pStore }) {
    this.#maxPeers = maxPeers;
    this.#store = store;
  }

  get size(): number {
    return this.#rows.size;
  }

  all(): PeerRow[] {
    return [...this.#rows.values()];
  }

  get(nodeId: string): PeerRow | undefined {
    return this.#rows.get(nodeId);
  }

  /** Reads the stored rows; records are kept where they are of this network. */
  async load(network: Uint8Array | undefined): Promise<void> {
    this.#network = network;
    for (const { publicKey, name, address, seen, record, network: signedFor } of await this.#store.peers()) {
      const nodeId = nodeIdOf(publicKey);
      const valid = network !== undefined && signedFor !== undefined && sameBytes(network, signedFor);
      const kept = valid && record !== undefined ? NodeRecord.decode(record) : undefined;
      this.#rows.set(nodeId, {
        nodeId,
        publicKey,
        name,
        address,
        seen,
        record: kept,
        role: 'observer',
        session: undefined,
      });
    }
  }

  /** Records of another network prove nothing in this one. */
  changeNetwork(network: Uint8Array): void {
    this.#network = network;
    for (const row of this.#rows.values()) {
      row.record = undefined;
      row.role = 'observer';
      this.#touch(row);
    }
  }

  /** Notes an open session. Answers the row, and whether it is new. */
  connected({ nodeId, publicKey, direction, since, hello }: Session): { row: PeerRow; fresh: boolean } {
    const known = this.#rows.get(nodeId);
    const row = known ?? this.#make(nodeId, publicKey);
    row.session = { direction, since };
    row.seen = since;
    if (row.record === undefined) {
      row.name = hello.name;
      row.address = hello.addresses[0] ?? row.address;
    }
    this.#add(row);
    return { row, fresh: known === undefined };
  }

  /** Notes that a session is gone. */
  disconnected(nodeId: string, now: number): void {
    const row = this.#rows.get(nodeId);
    if (row?.session === undefined) return;
    row.session = undefined;
    row.seen = now;
    this.#touch(row);
  }

  /** True where a record is newer than what is known and there is room for it. Its signature is the caller's matter. */
  wants({ publicKey, sequence }: NodeRecord): boolean {
    const row = this.#rows.get(nodeIdOf(publicKey));
    if (row !== undefined) return row.record === undefined || sequence > row.record.sequence;
    return this.#rows.size < this.#maxPeers || this.#victim() !== undefined;
  }

  /** Stores a record whose signature is valid; undefined where it is not newer after all. */
  put(record: NodeRecord): PeerRow | undefined {
    if (!this.wants(record)) return undefined;
    const nodeId = nodeIdOf(record.publicKey);
    const row = this.#rows.get(nodeId) ?? this.#make(nodeId, record.publicKey);
    row.record = record;
    row.name = record.name;
    row.address = record.addresses[0] ?? row.address;
    this.#add(row);
    return row;
  }

  /** Notes what the chain says of the rows. */
  setRoles(roles: ReadonlyMap<string, MemberRole>): void {
    for (const [nodeId, role] of roles) {
      const row = this.#rows.get(nodeId);
      if (row !== undefined) row.role = role;
    }
  }

  /** Forgets a stranger that cannot be reached. Members and connected peers stay. */
  forget(nodeId: string): void {
    const row = this.#rows.get(nodeId);
    if (row === undefined || isMember(row) || row.session !== undefined) return;
    this.#rows.delete(nodeId);
    this.#dirty.set(nodeId, undefined);
  }

  /** Writes the rows that changed. */
  async flush(): Promise<void> {
    const changes = new Map(this.#dirty);
    this.#dirty.clear();
    try {
      await this.#store.keepPeers(changes);
    } catch (error) {
      for (const [nodeId, change] of changes) if (!this.#dirty.has(nodeId)) this.#dirty.set(nodeId, change);
      throw error;
    }
  }

  #make(nodeId: string, publicKey: Uint8Array): PeerRow {
    return {
      nodeId,
      publicKey,
      name: '',
      address: '',
      seen: 0,
      record: undefined,
      role: 'observer',
      session: undefined,
    };
  }

  #add(row: PeerRow): void {
    if (!this.#rows.has(row.nodeId) && this.#rows.size >= this.#maxPeers) {
      const victim = this.#victim();
      // A table full of members and sessions: the session is there all the same, only its row is not kept.
      if (victim === undefined) return;
      this.#rows.delete(victim.nodeId);
      this.#dirty.set(victim.nodeId, undefined);
    }
    this.#rows.set(row.nodeId, row);
    this.#touch(row);
  }

  #victim(): PeerRow | undefined {
    let oldest: PeerRow | undefined;
    for (const row of this.#rows.values()) {
      if (isMember(row) || row.session !== undefined) continue;
      if (oldest === undefined || row.seen < oldest.seen) oldest = row;
    }
    return oldest;
  }

  #touch({ nodeId, publicKey, name, address, seen, record }: PeerRow): void {
    const signed =
      record === undefined || this.#network === undefined
        ? {}
        : { record: NodeRecord.encode(record), network: this.#network };
    this.#dirty.set(nodeId, { publicKey, name, address, seen, ...signed });
  }
}
