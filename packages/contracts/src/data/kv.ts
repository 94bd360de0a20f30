import { bool, bytes, message, nested, optional, repeated, uint32, type Infer } from '../schema/index.js';

/** Longest key of the key-value application, in bytes. */
export const KV_MAX_KEY_BYTES = 512;

/** Writes `value` under `key`, whatever is there. */
export const KvPut = message('KvPut', { key: bytes(1, { maxLength: KV_MAX_KEY_BYTES }), value: bytes(2) });
/** Deletes `key`; it need not be there. */
export const KvDelete = message('KvDelete', { key: bytes(1, { maxLength: KV_MAX_KEY_BYTES }) });
/** Writes `value` (absent: deletes) only where the present value is `expected` (absent: no value). */
export const KvCompareAndSet = message('KvCompareAndSet', {
  key: bytes(1, { maxLength: KV_MAX_KEY_BYTES }),
  expected: optional(bytes(2)),
  value: optional(bytes(3)),
});
/** The payload of a transaction of `kv/1`. Canonical. */
export const KvOperation = message('KvOperation', {
  put: optional(nested(1, KvPut), 'operation'),
  delete: optional(nested(2, KvDelete), 'operation'),
  compareAndSet: optional(nested(3, KvCompareAndSet), 'operation'),
});
export type KvOperation = Infer<typeof KvOperation>;

/** `data` of the query `range`; the query `get` takes the bare key and answers the bare value. */
export const KvRangeQuery = message('KvRangeQuery', {
  from: bytes(1, { maxLength: KV_MAX_KEY_BYTES }),
  to: optional(bytes(2, { maxLength: KV_MAX_KEY_BYTES })),
  /** 0 = 100, at most 1,000. */
  limit: uint32(3),
  reverse: bool(4),
});
/** A key of the key-value application with its value. */
export const KvEntry = message('KvEntry', { key: bytes(1, { maxLength: KV_MAX_KEY_BYTES }), value: bytes(2) });
/** Answer of the query `range`, in the order of keys. */
export const KvRangeAnswer = message('KvRangeAnswer', { entries: repeated(nested(1, KvEntry)), more: bool(2) });

/** Codes in receipts of `kv/1`. */
export const KV_CODES = { done: 0, malformed: 1, conflict: 2 } as const;
