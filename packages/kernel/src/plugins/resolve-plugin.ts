import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { resolve } from 'import-meta-resolve';
import { messageOf } from '@it-chain/contracts';
import type { Problem } from '../config/problem.js';
import { suggestion } from '../config/suggest.js';
import { installedPlugins } from './installed-plugins.js';

/** Where plugins are looked for. */
export interface ResolveOptions {
  /** The folder of the config file: paths and packages are resolved from it first. */
  readonly folder: string;
  /** Further files or folders that packages are resolved from: the command brings its default plugins this way. */
  readonly resolveFrom: readonly string[];
}

/** The URL of a plugin's module, or why there is none. */
export type Resolution =
  { readonly url: string } | { readonly finding: Pick<Problem, 'code' | 'message' | 'hint' | 'cause'> };

/** True where an entry of the config names a path and no package. */
export function isPath(use: string): boolean {
  return /^\.{1,2}([/\\]|$)/.test(use) || isAbsolute(use) || use.startsWith('file:');
}

/** Finds the module of a plugin: a path (file, or folder with a package.json) or a package. */
export function resolvePlugin(use: string, options: ResolveOptions): Resolution {
  return isPath(use) ? resolveFile(use, options.folder) : resolvePackage(use, options);
}

function resolveFile(use: string, folder: string): Resolution {
  let path: string;
  try {
    path = use.startsWith('file:') ? fileURLToPath(use) : resolvePath(folder, use);
    if (!existsSync(path)) {
      return notFound(
        `there is no file ${path}`,
        'correct the path; it is resolved from the folder of the config file',
      );
    }
    if (statSync(path).isDirectory()) path = join(path, mainOf(path));
    if (!existsSync(path))
      return notFound(`the package.json points at ${path}, which does not exist`, 'build it first');
  } catch (cause) {
    return notFound(`${use} cannot be read: ${messageOf(cause)}`, 'check the path and its permissions', cause);
  }
  return { url: pathToFileURL(path).href };
}

function resolvePackage(use: string, { folder, resolveFrom }: ResolveOptions): Resolution {
  const parents = [join(folder, 'it-chain.config.yaml'), ...resolveFrom.map(asFile)];
  let cause: unknown;
  for (const parent of parents) {
    try {
      const url = resolve(use, pathToFileURL(parent).href);
      // Without a file behind it the import would fail with a text that names no plugin.
      if (url.startsWith('file:') && existsSync(fileURLToPath(url))) return { url };
      cause ??= new Error(`${use} resolves to ${url}, which does not exist`);
    } catch (error) {
      cause ??= error;
    }
  }
  const known = installedPlugins([folder, ...resolveFrom]);
  const near = suggestion(use, known)?.replace(/^known here/, 'installed here');
  const unbuilt = /resolves to|does not exist|is not exported/.test(messageOf(cause)) ? ` (${messageOf(cause)})` : '';
  return notFound(
    `no package ${use} is installed${unbuilt}`,
    near ?? `npm install ${use} beside the config file`,
    cause,
  );
}

/** A folder given by the caller stands for any file in it. */
function asFile(place: string): string {
  const path = place.startsWith('file:') ? fileURLToPath(place) : place;
  return existsSync(path) && statSync(path).isDirectory() ? join(path, 'index.js') : path;
}

/** The module that a folder's package.json names: `exports`, else `main`, else index.js. */
function mainOf(folder: string): string {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return existsSync(join(folder, 'index.mjs')) ? 'index.mjs' : 'index.js';
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { exports?: unknown; main?: unknown };
  const exported = exportOf(manifest.exports);
  if (exported !== undefined) return exported;
  return typeof manifest.main === 'string' ? manifest.main : 'index.js';
}

function exportOf(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const table = exports as Record<string, unknown>;
  for (const key of ['.', 'node', 'import', 'default', 'require']) {
    const found = key in table ? exportOf(table[key]) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function notFound(message: string, hint: string, cause?: unknown): Resolution {
  return { finding: { code: 'ERR_PLUGIN_NOT_FOUND', message, hint, cause } };
}
