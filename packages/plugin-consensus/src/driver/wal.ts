import {
  Block,
  VOTE_TYPES,
  bytes,
  concatBytes,
  failure,
  heightKey,
  isItChainError,
  message,
  messageOf,
  optional,
  nested,
  repeated,
  sameBytes,
  sha256,
  toHex,
  uint64,
  type Entry,
  type Infer,
  type Log,
  type Storage,
} from '@it-chain/contracts';
import type { LogRecord } from '../machine/interface.js';
import {
  MAX_VOTES,
  SignedVote,
  decodeMessage,
  encodeMessage,
  isVoteMessage,
  type VoteMessage,
} from '../machine/messages.js';

const NO_BLOCK: Block = { header: new Uint8Array(0), transactions: [] };

/** One record of the log under `wal/<height><round><type>`. */
const WalRecord = message('WalRecord', {
  /** 0, 1, 2, ... within a height: a gap shows that a record is missing. */
  sequence: uint64(1),
  /** The whole signed message; its block is left out and kept once. */
  message: bytes(2),
  /** Digest of the block it is about. */
  digest: optional(bytes(3, { length: 32 })),
  /** That block, where no earlier record of the height holds it. */
  block: optional(nested(4, Block)),
  /** Behind a COMMIT: the quorum of PREPAREs. */
  prepares: repeated(nested(5, SignedVote), { maxItems: MAX_VOTES }),
});
type WalRecord = Infer<typeof WalRecord>;

/** The frame of a record: the first 8 bytes of the SHA-256 of its key and content, then the content. */
const CHECKSUM_BYTES = 8;

/** What the log of the open height holds. */
export interface LoadedLog {
  readonly records: readonly LogRecord[];
  /** The highest height in the log, 0 for none: above the open one the chain has lost blocks. */
  readonly highest: number;
}

/** The log of votes in `wal`: what was signed is on disk before it is sent. One writer. */
export class VoteLog {
  readonly #storage: Storage;
  readonly #log: Log;
  readonly #network: Uint8Array;
  #height = 0;
  #sequence = 0;
  readonly #blocks = new Set<string>();

  constructor(
    options: { readonly network: Uint8Array },
    dependencies: { readonly storage: Storage; readonly log: Log },
  ) {
    this.#network = options.network;
    this.#storage = dependencies.storage;
    this.#log = dependencies.log;
  }

  /**
   * Reads the records of a height in the order of writing. A damaged last record was never sent and is dropped.
   * @throws ERR_CONSENSUS_LOG_DAMAGED where another one is damaged or missing
   */
  async load(height: number): Promise<LoadedLog> {
    const read: { readonly record: WalRecord; readonly key: Uint8Array }[] = [];
    const damaged: Uint8Array[] = [];
    for (const { key, value } of await this.#entries(height)) {
      const record = openFrame(key, value);
      if (record === undefined) damaged.push(key);
      else read.push({ record, key });
    }
    read.sort((a, b) => a.record.sequence - b.record.sequence);
    const gap = read.findIndex(({ record }, index) => record.sequence !== index);
    if (gap >= 0 || damaged.length > 1) {
      throw failure(
        'ERR_CONSENSUS_LOG_DAMAGED',
        `the consensus log of height ${height} has ${damaged.length} damaged records and ${gap >= 0 ? `none with the number ${gap}` : 'no gap'}`,
      );
    }
    if (damaged.length === 1) await this.#dropTail(height, damaged);
    this.#begin(height);
    this.#sequence = read.length;
    const records = this.#restore(read.map(({ record }) => record));
    return { records, highest: await this.#highest() };
  }

  /** Writes a record and resolves when it is on disk. */
  async append(record: LogRecord): Promise<void> {
    const { vote } = record.message;
    if (vote.height !== this.#height) this.#begin(vote.height);
    const key = recordKey(record);
    const { block, digest } = blockOf(record);
    const known = digest !== undefined && this.#blocks.has(toHex(digest));
    const content = WalRecord.encode({
      sequence: this.#sequence,
      message: encodeMessage(withoutBlock(record.message), this.#network, 0),
      digest,
      block: known ? undefined : block,
      prepares: record.prepares,
    });
    const value = concatBytes(checksum(key, content), content);
    await this.#storage.write({
      writes: [{ namespace: 'wal', key, value }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    this.#sequence += 1;
    if (digest !== undefined && block !== undefined) this.#blocks.add(toHex(digest));
  }

  #begin(height: number): void {
    this.#height = height;
    this.#sequence = 0;
    this.#blocks.clear();
  }

  async #entries(height: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    const to = heightKey(height + 1);
    for (let from = heightKey(height); ;) {
      const page = await this.#storage.range({ namespace: 'wal', from, to, limit: 0, maxBytes: 0, reverse: false });
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return entries;
      from = concatBytes(last.key, new Uint8Array(1));
    }
  }

  async #highest(): Promise<number> {
    const from = new Uint8Array(0);
    // Evidence lies above all heights and is no record of the log.
    const to = heightKey(Number.MAX_SAFE_INTEGER);
    const page = await this.#storage.range({ namespace: 'wal', from, to, limit: 1, maxBytes: 0, reverse: true });
    const key = page.entries[0]?.key;
    return key === undefined || key.length < 8 ? 0 : Number(Buffer.from(key).readBigUInt64BE(0));
  }

  async #dropTail(height: number, keys: readonly Uint8Array[]): Promise<void> {
    this.#log.warn('the last record of the consensus log is damaged and is dropped: it was never sent', { height });
    const writes = keys.map((key) => ({ namespace: 'wal' as const, key }));
    await this.#storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  }

  #restore(read: readonly WalRecord[]): LogRecord[] {
    const blocks = new Map<string, Block>();
    return read.map((entry) => {
      const { digest } = entry;
      const key = digest === undefined ? '' : toHex(digest);
      if (entry.block !== undefined) {
        blocks.set(key, entry.block);
        this.#blocks.add(key);
      }
      const content = decodeMessage(entry.message)?.content;
      const block = blocks.get(key);
      if (content === undefined || !isVoteMessage(content) || (digest !== undefined && block === undefined)) {
        throw failure(
          'ERR_CONSENSUS_LOG_DAMAGED',
          `record ${entry.sequence} of the consensus log lacks what it is about`,
        );
      }
      return withBlock(content, block, entry.prepares);
    });
  }
}

/** `<height, 8 bytes><round, 4 bytes><type, 1 byte>`: a later record of one kind never replaces another one. */
function recordKey({ message: { vote } }: LogRecord): Uint8Array {
  const tail = Buffer.alloc(5);
  tail.writeUInt32BE(vote.round, 0);
  tail.writeUInt8(VOTE_TYPES.indexOf(vote.type), 4);
  return concatBytes(heightKey(vote.height), tail);
}

function checksum(key: Uint8Array, content: Uint8Array): Uint8Array {
  return sha256(concatBytes(key, content)).subarray(0, CHECKSUM_BYTES);
}

function openFrame(key: Uint8Array, value: Uint8Array): WalRecord | undefined {
  const content = value.subarray(CHECKSUM_BYTES);
  if (!sameBytes(value.subarray(0, CHECKSUM_BYTES), checksum(key, content))) return undefined;
  try {
    return WalRecord.decode(content);
  } catch (error) {
    // A record whose checksum holds and that cannot be read was written by something else: damaged all the same.
    if (isItChainError(error)) return undefined;
    throw new TypeError(`a log record cannot be read: ${messageOf(error)}`);
  }
}

function blockOf({ message, block }: LogRecord): { block: Block | undefined; digest: Uint8Array | undefined } {
  if (message.kind === 'proposal') return { block: message.block, digest: message.vote.digest };
  if (message.kind === 'round-change') return { block: message.block, digest: message.prepared?.digest };
  return { block, digest: message.vote.digest };
}

function withoutBlock(content: VoteMessage): VoteMessage {
  if (content.kind === 'proposal') return { ...content, block: NO_BLOCK };
  if (content.kind === 'round-change') return { ...content, block: undefined };
  return content;
}

function withBlock(content: VoteMessage, block: Block | undefined, prepares: readonly SignedVote[]): LogRecord {
  if (content.kind === 'proposal') return { message: { ...content, block: block ?? NO_BLOCK }, prepares };
  if (content.kind === 'round-change') return { message: { ...content, block }, prepares };
  return { message: content, block, prepares };
}
