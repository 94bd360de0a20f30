import {
  ChainTip,
  Leader,
  NodeRecord,
  bytes,
  chainKeys,
  hasCode,
  message,
  optional,
  p2pKeys,
  string,
  uint64,
  utf8,
  type Infer,
  type Storage,
  type Write,
} from '@it-chain/contracts';

/** A row of the peer table as it is stored. */
export const StoredPeer = message('StoredPeer', {
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
  address: string(3, { maxLength: 255 }),
  /** When it was last connected, in ms since the epoch; 0 = never. */
  seen: uint64(4),
  /** Its last NodeRecord, encoded, and the network it was signed for. */
  record: optional(bytes(5, { maxLength: 4_096 })),
  network: optional(bytes(6, { length: 32 })),
});
export type StoredPeer = Infer<typeof StoredPeer>;

/** What is in the keyspace `p2p` when the node starts. */
export interface StoredState {
  readonly genesis: Uint8Array | undefined;
  readonly candidate: Uint8Array | undefined;
  readonly self: NodeRecord | undefined;
  readonly leader: Leader | undefined;
  readonly height: number;
}

const PEERS = utf8('peer/');
const PEERS_END = utf8('peer0');

/** The keyspace `p2p` of the store, and the tip of the chain beside it. */
export class P2pStore {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async load(): Promise<StoredState> {
    const { values } = await this.#storage.read({
      namespace: 'p2p',
      keys: [p2pKeys.genesis, p2pKeys.candidate, p2pKeys.self, p2pKeys.leader],
    });
    const [genesis, candidate, self, leader] = values.map(({ value }) => value);
    return {
      genesis,
      candidate,
      self: self === undefined ? undefined : NodeRecord.decode(self),
      leader: leader === undefined ? undefined : Leader.decode(leader),
      height: await this.height(),
    };
  }

  /** Height of the last block; 0 before the first. */
  async height(): Promise<number> {
    const { values } = await this.#storage.read({ namespace: 'chain', keys: [chainKeys.tip] });
    const tip = values[0]?.value;
    return tip === undefined ? 0 : ChainTip.decode(tip).height;
  }

  async peers(): Promise<StoredPeer[]> {
    const found: StoredPeer[] = [];
    let from: Uint8Array = PEERS;
    for (;;) {
      const page = await this.#storage.range({
        namespace: 'p2p',
        from,
        to: PEERS_END,
        limit: 0,
        maxBytes: 0,
        reverse: false,
      });
      for (const { value } of page.entries) found.push(StoredPeer.decode(value));
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return found;
      from = Buffer.concat([last.key, new Uint8Array([0])]);
    }
  }

  /** Draws the candidate once; whichever was stored first holds. */
  async keepCandidate(candidate: Uint8Array): Promise<Uint8Array> {
    const write = { namespace: 'p2p', key: p2pKeys.candidate, value: candidate } as const;
    try {
      await this.#write([write], [{ namespace: 'p2p', key: p2pKeys.candidate }], true);
      return candidate;
    } catch (error) {
      if (!hasCode(error, 'ERR_STORAGE_CONDITION')) throw error;
      return (await this.load()).candidate ?? candidate;
    }
  }

  /**
   * Changes the network, if there is still no block and nobody else changed it: one conditional write, which block 1,
   * conditional on the genesis, can never overtake.
   * @returns false where a block or another genesis was there
   */
  async changeNetwork(from: Uint8Array | undefined, to: Uint8Array): Promise<boolean> {
    const present = { namespace: 'p2p', key: p2pKeys.genesis } as const;
    try {
      await this.#write(
        [
          { ...present, value: to },
          { namespace: 'p2p', key: p2pKeys.leader },
        ],
        [
          { namespace: 'chain', key: chainKeys.tip },
          { ...present, value: from },
        ],
        true,
      );
      return true;
    } catch (error) {
      if (hasCode(error, 'ERR_STORAGE_CONDITION')) return false;
      throw error;
    }
  }

  keepSelf(record: NodeRecord): Promise<void> {
    return this.#write([{ namespace: 'p2p', key: p2pKeys.self, value: NodeRecord.encode(record) }], [], true);
  }

  keepLeader(leader: Leader): Promise<void> {
    return this.#write([{ namespace: 'p2p', key: p2pKeys.leader, value: Leader.encode(leader) }], [], false);
  }

  keepPeers(peers: ReadonlyMap<string, StoredPeer | undefined>): Promise<void> {
    const writes = [...peers].map(([nodeId, peer]): Write => ({
      namespace: 'p2p',
      key: p2pKeys.peer(nodeId),
      value: peer === undefined ? undefined : StoredPeer.encode(peer),
    }));
    return writes.length === 0 ? Promise.resolve() : this.#write(writes, [], false);
  }

  async #write(writes: readonly Write[], when: readonly Write[], sync: boolean): Promise<void> {
    await this.#storage.write({ writes, when, sync, writer: '', sequence: 0 });
  }
}
