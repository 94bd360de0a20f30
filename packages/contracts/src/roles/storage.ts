import {
  bool,
  bytes,
  choice,
  message,
  nested,
  optional,
  repeated,
  string,
  uint32,
  uint64,
  type Infer,
} from '../schema/index.js';
import { command, defineRole, event, optionalCall, query, type Served } from '../plugin/role.js';
import { NAMESPACES } from '../data/keyspace.js';
import { Nothing } from './common.js';

const namespace = (number: number) => choice(number, 'Namespace', NAMESPACES);

/** Values asked for by key, at most 10,000 keys of up to 1,024 bytes. */
export const ReadRequest = message('ReadRequest', {
  namespace: namespace(1),
  keys: repeated(bytes(2, { maxLength: 1_024 }), { maxItems: 10_000 }),
});
/** One value; absent where the key is. */
export const StoredValue = message('StoredValue', { value: optional(bytes(1)) });
/** One {@link StoredValue} per key, in the order of the request. */
export const ReadAnswer = message('ReadAnswer', { values: repeated(nested(1, StoredValue)) });

/** A page of a range of keys in the order of their bytes. Resume behind the last key of the page before. */
export const RangeRequest = message('RangeRequest', {
  namespace: namespace(1),
  /** First key, included. */
  from: bytes(2, { maxLength: 1_024 }),
  /** End, not included; absent = the end of the namespace. */
  to: optional(bytes(3, { maxLength: 1_024 })),
  /** Most entries; 0 = 1,000. */
  limit: uint32(4),
  /** Most bytes of keys and values; 0 = 1 MiB. At least one entry is always given. */
  maxBytes: uint32(5),
  reverse: bool(6),
});
/** A key of up to 1,024 bytes with its value. */
export const Entry = message('Entry', { key: bytes(1, { maxLength: 1_024 }), value: bytes(2) });
export type Entry = Infer<typeof Entry>;
/** `more` is true where entries are left: ask again from behind the last key. */
export const RangeAnswer = message('RangeAnswer', { entries: repeated(nested(1, Entry)), more: bool(2) });

/** One change: `value` absent deletes the key. */
export const Write = message('Write', {
  namespace: namespace(1),
  key: bytes(2, { maxLength: 1_024 }),
  value: optional(bytes(3)),
});
export type Write = Infer<typeof Write>;
/** A condition on one key: `value` absent means that the key must be absent. */
export const Condition = message('Condition', {
  namespace: namespace(1),
  key: bytes(2, { maxLength: 1_024 }),
  value: optional(bytes(3)),
});
export type Condition = Infer<typeof Condition>;

/** A batch that is written whole or not at all, over all its namespaces. */
export const WriteRequest = message('WriteRequest', {
  writes: repeated(nested(1, Write), { maxItems: 4_000_000 }),
  /** All must hold, or nothing is written. */
  when: repeated(nested(2, Condition), { maxItems: 100 }),
  /** True: answered only when it is on disk. */
  sync: bool(3),
  /** Empty, or the name of a writer that numbers its writes: an equal sequence is answered again, a lower one refused. */
  writer: string(4, { maxLength: 64 }),
  sequence: uint64(5),
});
export type WriteRequest = Infer<typeof WriteRequest>;
/** `repeated` is true where this sequence of this writer had been written before. */
export const WriteAnswer = message('WriteAnswer', { repeated: bool(1) });

/** What a walk through the whole store found: entries, their bytes, and every problem. */
export const VerifyStoreAnswer = message('VerifyStoreAnswer', {
  entries: uint64(1),
  bytes: uint64(2),
  /** What is wrong, one sentence each; empty = sound. */
  problems: repeated(string(3), { maxItems: 1_000 }),
});
/** Why the store ends the process: `code` of the error catalogue and a sentence. */
export const StorageFailing = message('StorageFailing', { code: string(1), message: string(2) });

/** A range of keys whose deleted entries should give their space back. */
export const CompactRequest = message('CompactRequest', {
  namespace: namespace(1),
  from: bytes(2, { maxLength: 1_024 }),
  /** End, not included. */
  to: bytes(3, { maxLength: 1_024 }),
});

/** The one store of a node. */
export const Storage = defineRole('storage', 1, {
  doc: 'Keeps bytes under keys, in namespaces that each belong to one plugin.',
  promises: [
    'S1: a write is all or nothing over all its namespaces',
    'S2: a write with sync is on disk before it is answered, and survives a power cut',
    'S3: conditions are checked and the write done as one step; where one fails nothing is written and ERR_STORAGE_CONDITION is answered',
    'S4: a read sees every write that was answered before it was asked',
    'S5: a range is in the order of the bytes of its keys, in both directions, and can be resumed behind any key',
    'S6: an equal sequence of a writer is answered as repeated and writes nothing, a lower one is ERR_STORAGE_SEQUENCE',
    'S7: after reopening everything that was written is there',
    'S8: a damaged value is ERR_STORAGE_DAMAGED, never another value and never absent',
    'S9: keys and values are any bytes, also empty values and keys that are prefixes of each other',
    'S10: a missing store where one was is an error, not an empty store',
  ],
  calls: {
    read: query({ name: 'storage.read', doc: 'Values of keys, in their order.', in: ReadRequest, out: ReadAnswer }),
    range: query({
      name: 'storage.range',
      doc: 'Entries of a range of keys, a page at a time.',
      in: RangeRequest,
      out: RangeAnswer,
    }),
    write: command({
      name: 'storage.write',
      doc: 'Writes a batch, if its conditions hold.',
      in: WriteRequest,
      out: WriteAnswer,
      timeoutMs: 30_000,
    }),
    compact: optionalCall(
      command({
        name: 'storage.compact',
        doc: 'Gives back the space of what was deleted in a range of keys.',
        in: CompactRequest,
        out: Nothing,
        timeoutMs: 600_000,
      }),
    ),
    verify: query({
      name: 'storage.verify',
      doc: 'Walks the whole store and checks every checksum.',
      in: Nothing,
      out: VerifyStoreAnswer,
      timeoutMs: 600_000,
    }),
  },
  events: {
    failing: event({
      name: 'storage.failing',
      doc: 'The disk is full or failing; the process is about to end.',
      body: StorageFailing,
    }),
  },
});
export type Storage = Served<typeof Storage>;
