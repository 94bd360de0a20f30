import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { configError } from './problem.js';

/** Largest config file that is read, in bytes. */
const MAX_BYTES = 1024 * 1024;

/** The text of a config file. @throws ERR_CONFIG_FORMAT too large or no file, ERR_CONFIG_ENCODING not plain UTF-8 */
export function readConfigText(file: string): string {
  const stats = statSync(file);
  if (!stats.isFile()) throw format(file, 'is not a regular file');
  if (stats.size > MAX_BYTES)
    throw format(file, `has ${String(stats.size)} bytes; at most ${String(MAX_BYTES)} are read`);
  const bytes = readFileSync(file);
  const mark = byteOrderMark(bytes);
  if (mark !== undefined) throw encoding(file, 1, 1, `begins with the byte order mark of ${mark}`);
  if (!isUtf8(bytes)) {
    const offset = firstInvalid(bytes);
    const before = bytes.subarray(0, offset).toString('utf8');
    const line = before.split('\n').length;
    const column = before.length - before.lastIndexOf('\n');
    const byte = (bytes[offset] ?? 0).toString(16).padStart(2, '0');
    throw encoding(file, line, column, `has a byte that is not UTF-8 (0x${byte})`);
  }
  const zero = bytes.indexOf(0);
  if (zero >= 0) throw encoding(file, bytes.subarray(0, zero).toString('utf8').split('\n').length, 1, 'has a NUL byte');
  return bytes.toString('utf8');
}

function byteOrderMark(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'UTF-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16 (little-endian)';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16 (big-endian)';
  return undefined;
}

/** Where the first byte is that is not part of a well-formed character. */
function firstInvalid(bytes: Buffer): number {
  for (let at = 0; at < bytes.length;) {
    const lead = bytes[at] ?? 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return bytes.length - 1;
}

function format(file: string, message: string): Error {
  const hint = 'a config file is small text that ends in yaml, yml, json, js, mjs, cjs or ts';
  return configError([{ code: 'ERR_CONFIG_FORMAT', source: file, path: '', message, hint }]);
}

function encoding(file: string, line: number, column: number, message: string): Error {
  const hint = 'save it as UTF-8 without a byte order mark';
  return configError([{ code: 'ERR_CONFIG_ENCODING', source: file, line, column, path: '', message, hint }]);
}
