import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/node-process.js';

const folderOf = (target: string): string => join(root, 'test', 'fuzz', 'corpus', target);

/** Inputs of a target that once reached something new, or broke something. */
export function corpusOf(target: string): Uint8Array[] {
  const folder = folderOf(target);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).sort();
  return names.map((name) => readFileSync(join(folder, name)));
}

/** Keeps an input, under a name that its content decides. @returns the path */
export function keep(target: string, input: Uint8Array): string {
  const folder = folderOf(target);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16));
  writeFileSync(path, input);
  return path;
}
