/** A change of one key; `value` absent takes it out. */
export interface KeyChange {
  readonly key: Uint8Array;
  readonly value?: Uint8Array | undefined;
}

/** A range of keys. */
export interface KeyRange {
  /** First key, included. */
  readonly from: Uint8Array;
  /** End, not included. */
  readonly to: Uint8Array;
  /** From the end to the begin. */
  readonly reverse: boolean;
}

/**
 * What a store is built on: bytes under keys, in the order of their bytes. Made into the role storage by
 * {@link serveStorage}, which never writes twice at a time. Keys have up to 1,088 bytes; keys and values may be empty.
 */
export interface OrderedMap {
  /** The value of a key as the last write left it. @throws ERR_STORAGE_DAMAGED, never another value and never undefined */
  get(key: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** The entries of a range as they are at the call, whatever is written while they are read. @throws ERR_STORAGE_DAMAGED */
  entries(range: KeyRange): Iterable<KeyValue> | AsyncIterable<KeyValue>;
  /**
   * Makes the changes in their order, all or none, also over a power cut. With `sync` it resolves when they are on disk.
   * An error means that nobody knows what is on disk: the node ends, and what is there is read at the next start.
   */
  write(changes: readonly KeyChange[], sync: boolean): void | Promise<void>;
  /** What is wrong with what is on disk, one sentence each. Absent: reading every entry is check enough. */
  check?(): readonly string[] | Promise<readonly string[]>;
  /** Gives back what the map holds open. Called once. */
  close?(): void | Promise<void>;
}

/** A key and its value. */
export type KeyValue = readonly [key: Uint8Array, value: Uint8Array];
