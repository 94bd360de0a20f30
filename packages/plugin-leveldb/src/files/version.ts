import { ByteReader } from './byte-reader.js';

/** What the MANIFEST says is part of the store. */
export interface Version {
  /** Logs below this number are done with. */
  readonly logNumber: number;
  /** Table files by number, with their sizes in bytes. */
  readonly tables: ReadonlyMap<number, number>;
}

/**
 * Replays the edits of a MANIFEST (version_edit.cc of LevelDB).
 * @throws RangeError for an edit that cannot be read
 */
export function replayEdits(edits: readonly Uint8Array[]): Version {
  let logNumber = 0;
  const tables = new Map<number, number>();
  for (const edit of edits) {
    const reader = new ByteReader(edit);
    const removed: number[] = [];
    const added: [number, number][] = [];
    while (reader.left > 0) {
      const tag = reader.varint();
      if (tag === 1) reader.slice();
      else if (tag === 2) logNumber = reader.varint();
      else if (tag === 3 || tag === 4 || tag === 9) reader.varint();
      else if (tag === 5) {
        reader.varint();
        reader.slice();
      } else if (tag === 6) {
        reader.varint();
        removed.push(reader.varint());
      } else if (tag === 7) {
        reader.varint();
        added.push([reader.varint(), reader.varint()]);
        reader.slice();
        reader.slice();
      } else throw new RangeError(`the tag ${tag} is not known`);
    }
    // A table that only moves to another level is removed and added in one edit.
    for (const number of removed) tables.delete(number);
    for (const [number, size] of added) tables.set(number, size);
  }
  return { logNumber, tables };
}
