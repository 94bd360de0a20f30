import {
  KvOperation,
  KvRangeAnswer,
  KvRangeQuery,
  failure,
  sameBytes,
  stateRootOf,
  utf8,
  verifySparseProof,
  type Infer,
  type KeyPair,
  type KvEntry,
  type QueryStateReply,
  type TransactionStatus,
} from '@it-chain/contracts';
import type { CallOptions } from './connection.js';

/** Text stands for its UTF-8 bytes. */
export type KvBytes = string | Uint8Array;

/** How a change is sent. */
export interface KvChangeOptions extends CallOptions {
  /** Signs with this key; without it the node signs with its own (admin). */
  readonly keys?: KeyPair | undefined;
}

/** A value as it stands after a height. */
export interface KvValue {
  readonly key: Uint8Array;
  /** Absent where the key has no value. */
  readonly value?: Uint8Array | undefined;
  readonly height: number;
  /** State root after that height, 32 bytes. */
  readonly stateRoot: Uint8Array;
}

/** A page of entries. */
export interface KvRange {
  readonly entries: readonly Infer<typeof KvEntry>[];
  readonly more: boolean;
  readonly height: number;
  readonly stateRoot: Uint8Array;
}

/** What the client must be able to do for the key-value application. */
interface KvTransport {
  send(payload: Uint8Array, keys: KeyPair, options?: CallOptions): Promise<TransactionStatus>;
  signAndSubmit(payload: Uint8Array, options?: CallOptions): Promise<TransactionStatus>;
  query(path: string, data: Uint8Array, options?: CallOptions & { readonly prove?: boolean }): Promise<QueryStateReply>;
}

/** The key-value application `kv/1`. Changes are transactions: they are done when their transaction is committed. */
export class KvClient {
  readonly #transport: KvTransport;

  constructor(transport: KvTransport) {
    this.#transport = transport;
  }

  /** Writes a value by a transaction; resolves as the options say, when pooled or committed. */
  put(key: KvBytes, value: KvBytes, options?: KvChangeOptions): Promise<TransactionStatus> {
    return this.#change({ put: { key: bytesOf(key), value: bytesOf(value) } }, options);
  }

  /** Deletes a key by a transaction; resolves as the options say, when pooled or committed. */
  delete(key: KvBytes, options?: KvChangeOptions): Promise<TransactionStatus> {
    return this.#change({ delete: { key: bytesOf(key) } }, options);
  }

  /** Writes `value` (undefined: deletes) only where the present value is `expected` (undefined: none). */
  compareAndSet(
    key: KvBytes,
    expected: KvBytes | undefined,
    value: KvBytes | undefined,
    options?: KvChangeOptions,
  ): Promise<TransactionStatus> {
    return this.#change(
      {
        compareAndSet: {
          key: bytesOf(key),
          ...(expected === undefined ? {} : { expected: bytesOf(expected) }),
          ...(value === undefined ? {} : { value: bytesOf(value) }),
        },
      },
      options,
    );
  }

  /**
   * The value of a key. With `prove` the answer is checked against the state root that it names; that root is certified
   * by the header of the next block.
   * @throws ERR_CLI_PROOF_INVALID where the proof does not hold
   */
  async get(key: KvBytes, options: CallOptions & { readonly prove?: boolean } = {}): Promise<KvValue> {
    const bytes = bytesOf(key);
    const answer = await this.#transport.query('get', bytes, options);
    const { found, data, height, stateRoot } = answer;
    if (options.prove === true) {
      const { applicationRoot, systemRoot, proof } = answer;
      const holds =
        sameBytes(stateRoot, stateRootOf(systemRoot, applicationRoot)) &&
        verifySparseProof(applicationRoot, bytes, found ? data : undefined, proof);
      if (!holds) throw failure('ERR_CLI_PROOF_INVALID', `the proof of the key at height ${height} does not hold`);
    }
    return { key: bytes, ...(found ? { value: data } : {}), height, stateRoot };
  }

  /** Entries from `from` (included) to `to` (not included) in the order of keys; at most `limit` (0 = 100). */
  async range(
    query: {
      readonly from?: KvBytes;
      readonly to?: KvBytes | undefined;
      readonly limit?: number;
      readonly reverse?: boolean;
    },
    options?: CallOptions,
  ): Promise<KvRange> {
    const request = KvRangeQuery.encode({
      from: bytesOf(query.from ?? ''),
      ...(query.to === undefined ? {} : { to: bytesOf(query.to) }),
      limit: query.limit ?? 0,
      reverse: query.reverse ?? false,
    });
    const { data, height, stateRoot } = await this.#transport.query('range', request, options);
    const { entries, more } = KvRangeAnswer.decode(data);
    return { entries, more, height, stateRoot };
  }

  #change(operation: KvOperation, { keys, ...options }: KvChangeOptions = {}): Promise<TransactionStatus> {
    const payload = KvOperation.encode(operation);
    return keys === undefined
      ? this.#transport.signAndSubmit(payload, options)
      : this.#transport.send(payload, keys, options);
  }
}

function bytesOf(value: KvBytes): Uint8Array {
  return typeof value === 'string' ? utf8(value) : value;
}
