// Removes what builds made.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

for (const folder of ['packages', 'examples'].flatMap((kind) =>
  readdirSync(join(root, kind)).map((name) => join(kind, name)),
)) {
  for (const made of ['dist', 'dist-test']) rmSync(join(root, folder, made), { recursive: true, force: true });
}
for (const made of ['test/dist', 'coverage', 'node_modules/.it-chain/build-src', 'node_modules/.it-chain/build-all']) {
  rmSync(join(root, made), { recursive: true, force: true });
}
