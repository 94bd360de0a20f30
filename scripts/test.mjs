// The tests: units of every package, then the whole system with real processes. Arguments go to mocha.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

const UNITS = ['packages/*/dist-test/**/*.test.js', 'examples/*/dist-test/**/*.test.js'];

setup('all');
const asked = process.argv.slice(2);
const runs = asked.length > 0 ? [asked] : [UNITS, ...halves()];
const total = { passed: 0, failed: 0, skipped: 0 };
let status = 0;
// Side by side, since the system tests mostly wait for nodes; shown one after the other.
const outputs = runs.map((args) => mocha(args));
for (const { show, ended } of outputs) {
  show();
  const { code, counts } = await ended;
  if (code !== 0) status = 1;
  for (const key of Object.keys(total)) total[key] += counts[key];
}
if (total.passed === 0) status = 1;
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exit(status);

/** The system tests in two runs of about the same length: neighbours in the alphabet take turns, back and forth. */
function halves() {
  const folder = join('test', 'dist');
  const files = readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(folder, name));
  return [
    [0, 3],
    [1, 2],
  ].map((turns) => files.filter((_, index) => turns.includes(index % 4)));
}

/** Runs mocha. Its output is kept until `show`, then written as it comes. */
function mocha(args) {
  const child = spawn(process.execPath, [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kept = [];
  let shown = false;
  let tail = '';
  const take = (stream) => (chunk) => {
    if (stream === process.stdout) tail = (tail + chunk.toString()).slice(-65_536);
    if (shown) stream.write(chunk);
    else kept.push([stream, chunk]);
  };
  child.stdout.on('data', take(process.stdout));
  child.stderr.on('data', take(process.stderr));
  const ended = new Promise((resolve) => {
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
  const show = () => {
    shown = true;
    for (const [stream, chunk] of kept.splice(0)) stream.write(chunk);
  };
  return { show, ended };
}
