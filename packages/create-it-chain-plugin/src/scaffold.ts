import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Kind } from './kinds.js';
import { UsageError } from './usage-error.js';

const TEMPLATES = fileURLToPath(new URL('../templates', import.meta.url));
/** The name that stands in the templates, which are a package as it is. */
const PLACEHOLDER = 'my-plugin';
/** npm's rule for names of packages, with or without a scope. */
const PACKAGE_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const MAX_NAME = 64;

/** What is to be made. */
export interface ScaffoldOptions {
  /** Name of the package: `my-plugin` or `@acme/my-plugin`. */
  readonly name: string;
  readonly kind: Kind;
  /** The folder, absolute. Must be empty or not there. */
  readonly folder: string;
  /** For package.json and the README. Default: what the example does. */
  readonly description?: string | undefined;
}

/**
 * Writes the package. Gives the paths of its files, relative to the folder, in order.
 * @throws UsageError where the name cannot be one of a package, or the folder is not empty
 */
export function scaffold({ name, kind, folder, description }: ScaffoldOptions): readonly string[] {
  checkName(name);
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new UsageError(`${folder} is not empty`, 'name another folder with --dir, or empty this one');
  }
  const files = ['common', kind.name].flatMap((part) => filesIn(join(TEMPLATES, part)));
  const texts: readonly (readonly [string, string])[] = [
    ['DESCRIPTION', description ?? kind.description],
    ['ROLE_LINE', kind.place],
    ['NOTES', kind.limits === undefined ? '' : `\n## What the example leaves to you\n\n${kind.limits}`],
    [PLACEHOLDER, name],
  ];
  const written = files.map(({ path, base }) => {
    const target = targetOf(relative(base, path));
    const into = join(folder, target);
    mkdirSync(dirname(into), { recursive: true });
    const text = texts.reduce((all, [mark, value]) => fill(all, mark, value, target), readFileSync(path, 'utf8'));
    writeFileSync(into, text);
    return target;
  });
  return written.sort();
}

/** @throws UsageError */
export function checkName(name: string): void {
  if (PACKAGE_NAME.test(name) && name.length <= MAX_NAME) return;
  throw new UsageError(
    `"${name.slice(0, 80)}" cannot be the name of a package`,
    'use a-z, 0-9, ".", "_" and "-", at most 64 characters, perhaps behind a scope: @acme/my-plugin',
  );
}

/** In code a name with a scope stands for a file or a state machine, where its last part is enough. */
function fill(text: string, mark: string, value: string, file: string): string {
  if (mark === 'DESCRIPTION' && file.endsWith('.json'))
    return text.replaceAll(mark, () => JSON.stringify(value).slice(1, -1));
  if (mark !== PLACEHOLDER || file.endsWith('.md') || file === 'package.json')
    // By a function: in a text `$&` and the like would stand for parts of the template.
    return text.replaceAll(mark, () => value);
  const short = value.slice(value.indexOf('/') + 1);
  return text.replaceAll(/(name: ')?my-plugin(')?/g, (_all, before = '', after = '') =>
    before !== '' && after !== '' ? `name: '${value}'` : `${before}${short}${after}`,
  );
}

/** npm leaves .gitignore out of packages, and a folder .github would be taken for ours: both are kept under other names. */
function targetOf(path: string): string {
  return path
    .split(/[/\\]/)
    .map((part) => part.replace(/^_/, '.'))
    .join('/');
}

function filesIn(base: string, folder = base): { readonly path: string; readonly base: string }[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(base, path) : [{ path, base }];
  });
}
