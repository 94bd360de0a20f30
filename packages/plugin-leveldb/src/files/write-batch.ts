import { sameBytes } from '@it-chain/contracts';
import { ByteReader } from './byte-reader.js';

const HEADER = 12;
const DELETION = 0;

/**
 * The value that a batch of the write-ahead log puts at `key` (write_batch.cc of LevelDB), or undefined.
 * @throws RangeError for a batch that cannot be read
 */
export function valueInBatch(batch: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const reader = new ByteReader(batch);
  reader.skip(HEADER);
  let found: Uint8Array | undefined;
  while (reader.left > 0) {
    const type = reader.byte();
    const at = reader.slice();
    if (type === DELETION) continue;
    const value = reader.slice();
    if (sameBytes(at, key)) found = value;
  }
  return found;
}
