// The tests: units of every package, then the whole system with real processes. Arguments go to mocha.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

const UNITS = ['packages/*/dist-test/**/*.test.js', 'examples/*/dist-test/**/*.test.js'];
const SYSTEM = ['test/dist/**/*.test.js'];

setup('all');
const asked = process.argv.slice(2);
const runs = asked.length > 0 ? [asked] : [UNITS, SYSTEM];
const total = { passed: 0, failed: 0, skipped: 0 };
let status = 0;
for (const args of runs) {
  const { code, counts } = await mocha(args);
  if (code !== 0) status = 1;
  for (const key of Object.keys(total)) total[key] += counts[key];
}
if (total.passed === 0) status = 1;
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exit(status);

function mocha(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let tail = '';
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      tail = (tail + chunk.toString()).slice(-65_536);
    });
    child.on('close', (code) => {
      const last = [...tail.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)].at(-1);
      const [passed = 0, failed = 0, skipped = 0] = (last ?? []).slice(1).map(Number);
      // A run that ends without its closing line has crashed: that is a failure, whatever its exit code.
      resolve({
        code: last === undefined ? 1 : code,
        counts: { passed, failed: last === undefined ? 1 : failed, skipped },
      });
    });
  });
}
