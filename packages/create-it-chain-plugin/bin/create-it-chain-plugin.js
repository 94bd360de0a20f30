#!/usr/bin/env node
// Not built, but committed: npm links a command when it installs, which in a clone is before the build.
import { existsSync } from 'node:fs';

const built = new URL('../dist/bin.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  process.stderr.write('error: this clone is not built yet\ntry:   node scripts/setup.mjs in its folder\n');
  process.exitCode = 1;
}
