import { readFileSync } from 'node:fs';

/**
 * The version in the package.json of the package that a module belongs to, so that a manifest says what was published:
 * `packageVersion(import.meta.url)`.
 * @throws TypeError where no folder above the module has a package.json with a version
 */
export function packageVersion(moduleUrl: string): string {
  for (let folder = new URL('.', moduleUrl); ; folder = new URL('..', folder)) {
    const version = versionIn(new URL('package.json', folder));
    if (version !== undefined) return version;
    if (folder.pathname === new URL('..', folder).pathname) {
      throw new TypeError(`no package.json with a version above ${moduleUrl}`);
    }
  }
}

function versionIn(file: URL): string | undefined {
  try {
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version?: unknown };
    return typeof version === 'string' ? version : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
