import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const KEYWORD = 'it-chain-plugin';
const OUR_SCOPE = '@it-chain';
const MAX_PACKAGES = 5_000;

/**
 * The names of the plugins that are installed where any of `places` would find them: our scope's `plugin-*`, and every
 * package with the keyword it-chain-plugin. For suggestions only: reads at most 5,000 manifests.
 */
export function installedPlugins(places: readonly string[]): readonly string[] {
  const names = new Set<string>();
  let left = MAX_PACKAGES;
  for (const folder of new Set(places.flatMap(moduleFolders))) {
    for (const name of packagesIn(folder)) {
      if (left-- <= 0) return [...names];
      if (name.startsWith(`${OUR_SCOPE}/plugin-`) || hasKeyword(join(folder, name))) names.add(name);
    }
  }
  return [...names].sort();
}

/** Every node_modules from a place up to the root. */
function moduleFolders(place: string): string[] {
  let current = place.startsWith('file:') ? fileURLToPath(place) : resolve(place);
  const folders: string[] = [];
  for (;;) {
    const modules = join(current, 'node_modules');
    if (existsSync(modules)) folders.push(modules);
    const parent = dirname(current);
    if (parent === current) return folders;
    current = parent;
  }
}

function packagesIn(folder: string): string[] {
  return list(folder).flatMap((name) =>
    name.startsWith('@') ? list(join(folder, name)).map((inner) => `${name}/${inner}`) : [name],
  );
}

function list(folder: string): string[] {
  try {
    return statSync(folder).isDirectory() ? readdirSync(folder).filter((name) => !name.startsWith('.')) : [];
  } catch {
    // A folder that cannot be read only means fewer suggestions.
    return [];
  }
}

function hasKeyword(folder: string): boolean {
  try {
    const { keywords } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { keywords?: unknown };
    return Array.isArray(keywords) && keywords.includes(KEYWORD);
  } catch {
    // No manifest, or not a readable one: not a plugin that could be meant.
    return false;
  }
}
