import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { resolve } from 'import-meta-resolve';

/** An installed package. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** Its folder, with links resolved. */
  readonly folder: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

/** The package that a module belongs to; undefined for a module in no package. */
export function packageOf(url: string): InstalledPackage | undefined {
  if (!url.startsWith('file:')) return undefined;
  let folder = dirname(realpathSync(fileURLToPath(url)));
  for (;;) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) {
      const { name, version, peerDependencies } = JSON.parse(readFileSync(file, 'utf8')) as Partial<InstalledPackage>;
      // A package.json without a name only says what kind of modules are below it.
      if (name !== undefined) return { name, version: version ?? '', folder, peerDependencies: peerDependencies ?? {} };
    }
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

/** The copy of a package that a module would import; undefined where it finds none. */
export function copySeenFrom(name: string, from: string): InstalledPackage | undefined {
  try {
    const real = pathToFileURL(realpathSync(fileURLToPath(from))).href;
    return packageOf(resolve(name, real));
  } catch {
    // It does not find one, which is no mistake: a plugin need not import it.
    return undefined;
  }
}
