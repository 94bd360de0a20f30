import { createHash } from 'node:crypto';

// Plain Edwards arithmetic (RFC 8032 section 5.1) for making signatures that no honest signer makes. Slow; tests only.
const p = 2n ** 255n - 19n;
/** Order of the base point. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a: bigint, m = p): bigint => ((a % m) + m) % m;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}
const inverse = (a: bigint): bigint => power(a, p - 2n);
const d = mod(-121665n * inverse(121666n));
const rootOfMinusOne = power(2n, (p - 1n) / 4n);

/** An affine point. */
export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}
/** The neutral element. */
export const ZERO: Point = { x: 0n, y: 1n };

export function add(a: Point, b: Point): Point {
  const k = mod(d * a.x * b.x * a.y * b.y);
  return {
    x: mod((a.x * b.y + a.y * b.x) * inverse(1n + k)),
    y: mod((a.y * b.y + a.x * b.x) * inverse(1n - k)),
  };
}

export function multiply(point: Point, scalar: bigint): Point {
  let result = ZERO;
  let double = point;
  for (let s = scalar; s > 0n; s >>= 1n) {
    if (s & 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

function xOf(y: bigint, odd: boolean): bigint | undefined {
  const u = mod(y * y - 1n);
  const v = mod(d * y * y + 1n);
  let x = mod(u * v ** 3n * power(u * v ** 7n, (p - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * rootOfMinusOne);
  else if (mod(v * x * x) !== u) return undefined;
  return x % 2n === (odd ? 1n : 0n) ? x : mod(-x);
}

/** The base point. */
export const BASE: Point = (() => {
  const y = mod(4n * inverse(5n));
  const x = xOf(y, false);
  if (x === undefined) throw new Error('the base point is on the curve');
  return { x, y };
})();

export function littleEndian(value: bigint, length = 32): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = value;
  for (let index = 0; index < length; index += 1, rest >>= 8n) bytes[index] = Number(rest & 255n);
  return bytes;
}

export function encodePoint(point: Point): Uint8Array {
  const bytes = littleEndian(point.y);
  bytes[31] = (bytes[31] ?? 0) | (point.x % 2n === 1n ? 128 : 0);
  return bytes;
}

/** A point of order 8: any point times L that is not of a smaller order. */
export const TORSION: Point = (() => {
  for (let y = 2n; ; y += 1n) {
    const x = xOf(y, false);
    if (x === undefined) continue;
    const candidate = multiply({ x, y }, L);
    const four = multiply(candidate, 4n);
    if (four.x !== ZERO.x || four.y !== ZERO.y) return candidate;
  }
})();

/** h = SHA-512(R || A || M) mod L. */
export function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  const hash = createHash('sha512').update(r).update(a).update(message).digest();
  let value = 0n;
  for (let index = 63; index >= 0; index -= 1) value = (value << 8n) | BigInt(hash[index] ?? 0);
  return value;
}
