// The public API as pages in docs/api (npm run typedoc). An exported symbol without a comment is an error.
import { readFileSync, readdirSync } from 'node:fs';

const packages = readdirSync(new URL('packages', import.meta.url));
const nameOf = (folder) =>
  JSON.parse(readFileSync(new URL(`packages/${folder}/package.json`, import.meta.url), 'utf8')).name;

/** @type {import('typedoc').TypeDocOptions} */
export default {
  name: 'it-chain',
  entryPoints: packages.map((folder) => `packages/${folder}/dist/index.d.ts`),
  tsconfig: 'tsconfig.base.json',
  out: 'docs/api',
  readme: 'none',
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  validation: { notExported: false, invalidLink: true, notDocumented: true },
  treatValidationWarningsAsErrors: true,
  packagesRequiringDocumentation: packages.map(nameOf),
  // What a package exports, and every function in it. Properties whose name and type say all need no comment.
  requiredToBeDocumented: ['Class', 'Interface', 'Function', 'TypeAlias', 'Enum', 'Variable'],
};
