import { concatBytes, failure, heightKey, sha256, sameBytes, isItChainError, type Storage } from '@it-chain/contracts';
import type { RaftRecord } from '../machine/interface.js';
import { decodeRecord, encodeRecord } from '../machine/messages.js';

const CHECKSUM_BYTES = 8;

/** The log of promises and accepted blocks in `wal`: what is on disk before it is said. One writer. */
export class RaftLog {
  readonly #storage: Storage;
  #sequence = 0;

  constructor(dependencies: { readonly storage: Storage }) {
    this.#storage = dependencies.storage;
  }

  /** The records of a height in the order of writing. @throws ERR_CONSENSUS_LOG_DAMAGED */
  async load(height: number): Promise<RaftRecord[]> {
    const records: RaftRecord[] = [];
    for (let from: Uint8Array = heightKey(height); ;) {
      const to = heightKey(height + 1);
      const page = await this.#storage.range({ namespace: 'wal', from, to, limit: 0, maxBytes: 0, reverse: false });
      for (const { key, value } of page.entries) records.push(openRecord(key, value, height));
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) break;
      from = concatBytes(last.key, new Uint8Array(1));
    }
    this.#sequence = records.length;
    return records;
  }

  /** Writes a record and resolves when it is on disk. */
  async append(record: RaftRecord): Promise<void> {
    const key = concatBytes(heightKey(record.height), heightKey((this.#sequence += 1)));
    const content = encodeRecord(record);
    const value = concatBytes(checksum(key, content), content);
    await this.#storage.write({
      writes: [{ namespace: 'wal', key, value }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
  }
}

const checksum = (key: Uint8Array, content: Uint8Array): Uint8Array =>
  sha256(concatBytes(key, content)).subarray(0, CHECKSUM_BYTES);

function openRecord(key: Uint8Array, value: Uint8Array, height: number): RaftRecord {
  const content = value.subarray(CHECKSUM_BYTES);
  try {
    const record = sameBytes(value.subarray(0, CHECKSUM_BYTES), checksum(key, content))
      ? decodeRecord(content)
      : undefined;
    if (record !== undefined) return record;
  } catch (error) {
    // Bytes that are no record are told below, like those whose checksum does not hold.
    if (!isItChainError(error)) throw error;
  }
  throw failure('ERR_CONSENSUS_LOG_DAMAGED', `a record of the consensus log of height ${height} is damaged`);
}
