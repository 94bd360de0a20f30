import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../support/node-process.js';

/** `corpus`: inputs that together reach all that was ever reached. `found`: inputs that broke a decoder once. */
export type Shelf = 'corpus' | 'found';

// One file per target, an input per line, in hexadecimal: hundreds of small files are slow to check out and to review.
const folder = join(root, 'test', 'fuzz');
const fileOf = (shelf: Shelf, target: string): string => join(folder, shelf, `${target}.hex`);

/** The inputs of a target. */
export function inputsOf(shelf: Shelf, target: string): Uint8Array[] {
  const file = fileOf(shelf, target);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => new Uint8Array(Buffer.from(line, 'hex')));
}

/** The targets that have a file on a shelf. */
export function targetsOf(shelf: Shelf): string[] {
  const at = join(folder, shelf);
  return existsSync(at) ? readdirSync(at).map((name) => name.replace(/\.hex$/, '')) : [];
}

/** Keeps these inputs, and no others, the short ones first. */
export function keepOnly(shelf: Shelf, target: string, inputs: readonly Uint8Array[]): string {
  const file = fileOf(shelf, target);
  const lines = [...new Set(inputs.map((input) => Buffer.from(input).toString('hex')))];
  lines.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  mkdirSync(dirname(file), { recursive: true });
  if (lines.length === 0) rmSync(file, { force: true });
  else writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}

/** Keeps one more input. @returns the file */
export function keep(shelf: Shelf, target: string, input: Uint8Array): string {
  return keepOnly(shelf, target, [...inputsOf(shelf, target), input]);
}
