// npm run storage-faults: power cut, I/O errors, full disk, and every kind of damage to files. Linux; as root all of it, else
// what is forbidden is skipped with a word.   --trials 100
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from './setup.mjs';

setup('all');
const { values } = parseArgs({ options: { trials: { type: 'string', default: '5' } } });
const specs = [
  join(root, 'test', 'dist', 'storage-faults.test.js'),
  join(root, 'test', 'dist', 'forgotten-votes.test.js'),
  join(root, 'packages', 'plugin-leveldb', 'dist-test', 'damage.test.js'),
  join(root, 'packages', 'plugin-leveldb', 'dist-test', 'disk-full.test.js'),
];
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), '--timeout', '1800000', ...specs],
  { cwd: root, stdio: 'inherit', env: { ...process.env, STORAGE_FAULTS: '1', TRIALS: values.trials } },
);
process.exit(status ?? 1);
