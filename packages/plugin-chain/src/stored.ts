import {
  Receipt,
  bytes,
  concatBytes,
  heightKey,
  message,
  nested,
  repeated,
  uint64,
  utf8,
  type Infer,
} from '@it-chain/contracts';

/** Value of `h/<height>`. The body stands under `b/<height><digest>`, written before the commit. */
export const StoredHeader = message('StoredHeader', {
  header: bytes(1, { maxLength: 1_024 }),
  /** Encoded. */
  certificate: bytes(2, { maxLength: 131_072 }),
  digest: bytes(3, { length: 32 }),
  /** Length of the encoded block, so that a range can be cut before its bodies are read. */
  bodyBytes: uint64(4),
});
export type StoredHeader = Infer<typeof StoredHeader>;

/** Value of `r/<height><index of the first>`: receipts in their order, up to a size. */
export const StoredReceipts = message('StoredReceipts', { receipts: repeated(nested(1, Receipt)) });

const prefixed = (prefix: string, ...rest: readonly Uint8Array[]): Uint8Array => concatBytes(utf8(prefix), ...rest);

function indexKey(index: number): Uint8Array {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(index);
  return key;
}

/** Keys in `chain` besides `tip` and `t/<id>`, which others read too. */
export const storedKeys = {
  /** -> SystemState after the tip. */
  system: utf8('system'),
  /** -> StoredHeader. */
  header: (height: number): Uint8Array => prefixed('h/', heightKey(height)),
  /** -> Block, also of blocks that were proposed and not (yet) decided. */
  body: (height: number, digest: Uint8Array): Uint8Array => prefixed('b/', heightKey(height), digest),
  /** All bodies of a height lie from here up to the same of the next height. */
  bodies: (height: number): Uint8Array => prefixed('b/', heightKey(height)),
  /** -> StoredReceipts, from this index on. */
  receipts: (height: number, index: number): Uint8Array => prefixed('r/', heightKey(height), indexKey(index)),
  receiptsOf: (height: number): Uint8Array => prefixed('r/', heightKey(height)),
  /** -> height, 8 bytes. */
  digest: (digest: Uint8Array): Uint8Array => prefixed('d/', digest),
  /** -> ValidatorSet that holds from this height on, until the next entry. */
  validators: (height: number): Uint8Array => prefixed('v/', heightKey(height)),
} as const;
