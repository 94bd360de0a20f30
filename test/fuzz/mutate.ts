/** One change to some bytes. Plain data, so that a failing list of them can be printed and made smaller. */
export interface Edit {
  readonly kind: 'set' | 'flip' | 'remove' | 'insert' | 'repeat' | 'cut' | 'varint' | 'length' | 'nest' | 'join';
  readonly at: number;
  readonly value: number;
}

export const EDIT_KINDS: readonly Edit['kind'][] = [
  'set',
  'flip',
  'remove',
  'insert',
  'repeat',
  'cut',
  'varint',
  'length',
  'nest',
  'join',
];

const MAX_BYTES = 64 * 1024;
/** Numbers at which lengths and counters go wrong. */
const BORDERS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff] as const;

/** Applies edits one after the other; the result is never longer than 64 KiB. */
export function mutate(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  let now = bytes;
  for (const edit of edits) now = apply(now, edit).subarray(0, MAX_BYTES);
  return now;
}

function apply(bytes: Uint8Array, { kind, at, value }: Edit): Uint8Array {
  const position = bytes.length === 0 ? 0 : at % bytes.length;
  const [before, after] = [bytes.subarray(0, position), bytes.subarray(position)];
  switch (kind) {
    case 'set':
      return join(before, [value & 0xff], after.subarray(1));
    case 'flip':
      return join(before, [(after[0] ?? 0) ^ (1 << (value & 7))], after.subarray(1));
    case 'remove':
      return join(before, after.subarray(1 + (value % 8)));
    case 'insert':
      return join(before, [value & 0xff], after);
    case 'repeat':
      return join(before, after.subarray(0, value % 64), after);
    case 'cut':
      return before;
    // A number in eleven bytes, where ten are the longest that there is.
    case 'varint':
      return join(before, new Uint8Array(10).fill(0xff), [1], after);
    // A length of four bytes that has nothing to do with what follows.
    case 'length':
      return join(before, bigEndian(BORDERS[value % BORDERS.length] ?? 0), after.subarray(4));
    // The same field inside of itself, again and again.
    case 'nest':
      return nested(bytes, ((value % 15) << 3) | 2, 1 + (value % 60));
    case 'join':
      return join(bytes, bytes);
  }
}

function nested(inner: Uint8Array, key: number, depth: number): Uint8Array {
  let now: Uint8Array = inner.subarray(0, 200);
  for (let level = 0; level < depth; level += 1) {
    const length = now.length < 128 ? [now.length] : [(now.length & 0x7f) | 0x80, now.length >> 7];
    now = join([key, ...length], now);
  }
  return now;
}

function bigEndian(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)));
}
