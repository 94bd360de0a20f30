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
  /** -> HistoryEntry of a height at or below the snapshot that this chain began with. */
  history: (height: number): Uint8Array => prefixed('l/', heightKey(height)),
  /** -> the Snapshot that this chain began with. */
  base: utf8('base'),
  /** -> height up to which blocks were removed, 8 bytes. */
  pruned: utf8('pruned'),
  /** Where the removed blocks up to a height have stood. */
  prunedRanges: (height: number) =>
    ['b/', 'h/', 'r/'].map((prefix) => [utf8(prefix), prefixed(prefix, heightKey(height + 1))] as const),
  /** Present while a snapshot is being restored. */
  restoring: utf8('restoring'),
  /** -> the Snapshot that is offered to peers. */
  offered: utf8('snapshot'),
  /** -> a Snapshot that was made here, until the chain begins above it: what may stand for older blocks. */
  proof: (height: number): Uint8Array => prefixed('p/', heightKey(height)),
  /** -> a page of the state of a snapshot. */
  page: (height: number, index: number): Uint8Array => prefixed('s/', heightKey(height), indexKey(index)),
  pages: utf8('s/'),
  pagesEnd: utf8('s0'),
  /** What a restore writes in `chain`, as ranges. */
  restored: ['l', 't', 'v'].map((letter) => [utf8(`${letter}/`), utf8(`${letter}0`)] as const),
} as const;

/** Id and signature of a transaction. */
export const LEAF_BYTES = 96;
