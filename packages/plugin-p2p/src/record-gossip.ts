import {
  type NodeRecord,
  NodeRecordBatch,
  PEER_KINDS,
  P2p,
  recordContent,
  recordSigningBytes,
  sameBytes,
  type Clock,
  type NodeIdentity,
  type NoticeDefinition,
  type PeerMessage,
  type SignatureCheck,
  type Transport,
} from '@it-chain/contracts';
import type { P2pStore } from './p2p-store.js';
import type { PeerRow, PeerTable } from './peer-table.js';

/** What the gossip needs around it. */
export interface RecordGossipDependencies {
  readonly clock: Clock;
  readonly identity: NodeIdentity;
  readonly store: P2pStore;
  readonly table: PeerTable;
  readonly transport: Transport;
  readonly sign: (domain: 'record', network: Uint8Array, content: Uint8Array) => Promise<Uint8Array>;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
  readonly describe: (row: PeerRow) => Parameters<typeof P2p.events.joined.body.encode>[0]['peer'];
}

const MINUTE = 60_000;
/** Peers whose records are counted before old counts are swept. */
const MAX_COUNTED = 1_000;

/** Signed node records: makes the node's own, spreads what is new, and stores only what is signed and newer. */
export class RecordGossip {
  readonly #maxPerMinute: number;
  readonly #dependencies: RecordGossipDependencies;
  readonly #received = new Map<string, { minute: number; count: number }>();
  #own: NodeRecord | undefined;
  #ownNetwork: Uint8Array | undefined;

  constructor(options: { readonly maxPerMinute: number }, dependencies: RecordGossipDependencies) {
    this.#maxPerMinute = options.maxPerMinute;
    this.#dependencies = dependencies;
  }

  /** The node's own record, as far as there is one. */
  get own(): NodeRecord | undefined {
    return this.#own;
  }

  /** Takes over the stored record: its sequence must only grow. */
  restore(own: NodeRecord | undefined): void {
    this.#own = own;
  }

  /** Makes and spreads a new record where the network, the name or the address is another one. */
  async renew(network: Uint8Array, address: string): Promise<void> {
    const { clock, identity, store, sign } = this.#dependencies;
    const addresses = address === '' ? [] : [address];
    const { publicKey, name } = identity;
    const known = this.#own;
    const current =
      known !== undefined &&
      this.#ownNetwork !== undefined &&
      sameBytes(this.#ownNetwork, network) &&
      known.name === name &&
      known.addresses.join() === addresses.join();
    if (current) return;
    // The clock keeps it growing also where the store was lost and the key was not.
    const sequence = Math.max((known?.sequence ?? 0) + 1, clock.now());
    const unsigned = { publicKey, name, addresses, sequence };
    const record = { ...unsigned, signature: await sign('record', network, recordContent(unsigned)) };
    await store.keepSelf(record);
    this.#own = record;
    this.#ownNetwork = network;
    await this.#send([], [record]);
  }

  /** Gives a peer all records of this network. */
  async introduce(nodeId: string): Promise<void> {
    const known = this.#dependencies.table.all().flatMap(({ record }) => (record === undefined ? [] : [record]));
    const all = this.#own === undefined || this.#ownNetwork === undefined ? known : [this.#own, ...known];
    for (let from = 0; from < all.length; from += 500) await this.#send([nodeId], all.slice(from, from + 500));
  }

  /** Takes records from a peer; what is new goes on to the other peers. Garbage and forgeries are dropped. */
  async receive({ from, body }: PeerMessage, network: Uint8Array | undefined): Promise<number> {
    if (network === undefined) return 0;
    const { table, identity, verify, emit, describe } = this.#dependencies;
    const { records } = NodeRecordBatch.decode(body);
    const wanted = records.filter((record) => !sameBytes(record.publicKey, identity.publicKey) && table.wants(record));
    const allowed = wanted.slice(0, this.#allowance(from, wanted.length));
    const valid = await verify(
      allowed.map((record) => ({
        publicKey: record.publicKey,
        message: recordSigningBytes(record, network),
        signature: record.signature,
      })),
    );
    const fresh: NodeRecord[] = [];
    for (const [index, record] of allowed.entries()) {
      const row = valid[index] === true ? table.put(record) : undefined;
      if (row === undefined) continue;
      fresh.push(record);
      void emit(P2p.events.joined, { peer: describe(row) });
    }
    if (fresh.length > 0) {
      const others = table.all().filter(({ session, nodeId }) => session !== undefined && nodeId !== from);
      if (others.length > 0)
        await this.#send(
          others.map(({ nodeId }) => nodeId),
          fresh,
        );
    }
    return fresh.length;
  }

  #minute(): number {
    return Math.floor(this.#dependencies.clock.monotonic() / MINUTE);
  }

  #allowance(from: string, wanted: number): number {
    const minute = this.#minute();
    const known = this.#received.get(from);
    const entry = known?.minute === minute ? known : { minute, count: 0 };
    const allowed = Math.max(0, Math.min(wanted, this.#maxPerMinute - entry.count));
    entry.count += allowed;
    this.#received.set(from, entry);
    if (this.#received.size > MAX_COUNTED) {
      for (const [nodeId, other] of this.#received) if (other.minute !== minute) this.#received.delete(nodeId);
    }
    return allowed;
  }

  async #send(peers: readonly string[], records: readonly NodeRecord[]): Promise<void> {
    const body = NodeRecordBatch.encode({ records });
    await this.#dependencies.transport.deliver({ peers, kind: PEER_KINDS.record, body, lane: 'bulk' });
  }
}
