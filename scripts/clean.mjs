// Removes what builds made.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

for (const name of readdirSync(join(root, 'packages'))) {
  for (const made of ['dist', 'dist-test'])
    rmSync(join(root, 'packages', name, made), { recursive: true, force: true });
}
for (const made of ['test/dist', 'coverage', 'node_modules/.it-chain/build-src', 'node_modules/.it-chain/build-all']) {
  rmSync(join(root, made), { recursive: true, force: true });
}
