// Proof that the tests can fail: every deliberate bug of test/mutants is put into a copy of the checkout, and what its patch names as
// its battery must go red. `npm run mutants [-- NAME ...] [--jobs N]`; `--write` puts the table into docs/testing.md.
import { spawn, spawnSync, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { root, setup } from './setup.mjs';

/** Seeds, and seconds on a machine with nothing else to do, that a battery may take to find a bug. */
const MAX_SEEDS = 3_000;
const MAX_SECONDS = Number(process.env.MUTANT_SECONDS ?? 120) * Number(process.env.TEST_TIME_FACTOR ?? 6);
const MARK = ['<!-- mutants: written by npm run mutants -- --write -->', '<!-- end of mutants -->'];

const {
  values: { write, jobs },
  positionals: asked,
} = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false }, jobs: { type: 'string' } },
});
const folder = join(root, 'test', 'mutants');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.patch'))
  .map((file) => basename(file, '.patch'))
  .filter((name) => asked.length === 0 || asked.includes(name));

setup('all');
const rows = [];
let survived = 0;
const waiting = [...names];
// Each job has a copy of its own: two bugs in one would be caught for each other.
const workers = Math.min(names.length, Number(jobs ?? availableParallelism()));
const outcomes = await Promise.allSettled(Array.from({ length: workers }, judgeSome));
for (const { reason } of outcomes) if (reason !== undefined) throw reason;
rows.sort((a, b) => (a.name < b.name ? -1 : 1));
const table = [
  '| mutant | what is wrong | caught by | after |',
  '|---|---|---|---|',
  ...rows.map(({ name, what, caught, after }) => `| ${name} | ${what} | ${caught} | ${after} |`),
].join('\n');
process.stdout.write(`\n${table}\n\n`);
if (write) writeTable(table);
process.stdout.write(`${rows.length - survived} passed, ${survived} failed\n`);
process.exit(survived === 0 && rows.length > 0 ? 0 : 1);

async function judgeSome() {
  const scratch = copyCheckout();
  try {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) rows.push(await judge(name, scratch));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The parts that run, with links to the dependencies: packages of the workspace must be those of the copy. */
function copyCheckout() {
  const to = mkdtempSync(join(tmpdir(), 'it-chain-mutants-'));
  const skip = new Set(['node_modules', 'coverage', 'data', '.git', 'docs']);
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (skip.has(entry.name)) continue;
    cpSync(join(root, entry.name), join(to, entry.name), {
      recursive: true,
      filter: (path) => basename(path) !== 'node_modules',
    });
  }
  linkModules(join(root, 'node_modules'), join(to, 'node_modules'), to);
  for (const name of readdirSync(join(root, 'packages'))) {
    const from = join(root, 'packages', name, 'node_modules');
    if (existsSync(from)) linkModules(from, join(to, 'packages', name, 'node_modules'), to);
  }
  return to;
}

function linkModules(from, into, to) {
  mkdirSync(join(into, '@it-chain'), { recursive: true });
  for (const entry of readdirSync(from)) {
    if (entry !== '@it-chain') symlinkSync(join(from, entry), join(into, entry));
  }
  if (into !== join(to, 'node_modules')) return;
  for (const name of readdirSync(join(root, 'packages'))) {
    symlinkSync(join(to, 'packages', name), join(into, '@it-chain', name));
  }
}

async function judge(name, scratch) {
  const patch = readFileSync(join(folder, `${name}.patch`), 'utf8');
  const what = /^What: (.*)$/m.exec(patch)?.[1] ?? '';
  const battery = /^Battery: (.*)$/m.exec(patch)?.[1] ?? '';
  const files = [...patch.matchAll(/^\+\+\+ b\/(.*)$/gm)].map((match) => match[1]);
  const before = new Map(
    files.flatMap((file) => [file, builtOf(file)]).map((file) => [file, readFileSync(join(scratch, file))]),
  );
  const begun = Date.now();
  let verdict;
  try {
    const applied = spawnSync('git', ['apply', '-C1', '--unsafe-paths', join(folder, `${name}.patch`)], {
      cwd: scratch,
      encoding: 'utf8',
    });
    if (applied.status !== 0) throw new Error(`the patch ${name} does not apply any more: ${applied.stderr}`);
    for (const file of files) build(file, scratch);
    verdict = await runBattery(battery, scratch);
  } finally {
    for (const [file, content] of before) writeFileSync(join(scratch, file), content);
  }
  if (verdict === undefined) survived += 1;
  const { caught, after } = verdict ?? { caught: '**nothing**', after: '' };
  const seconds = ((Date.now() - begun) / 1_000).toFixed(0);
  process.stdout.write(
    `${verdict === undefined ? 'SURVIVED' : 'caught  '} ${name}: ${caught}${after === '' ? '' : `, ${after}`} (${seconds} s)\n`,
  );
  return { name, what, caught, after };
}

/** Where the compiler puts a source file. */
function builtOf(file) {
  return file.replace('/src/', '/dist/').replace(/\.ts$/, '.js');
}

function build(file, scratch) {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile).config,
    ts.sys,
    root,
  );
  const { outputText } = ts.transpileModule(readFileSync(join(scratch, file), 'utf8'), {
    compilerOptions: {
      ...options,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      composite: false,
      incremental: false,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
    },
    fileName: join(scratch, file),
  });
  writeFileSync(join(scratch, builtOf(file)), outputText);
}

/** What goes red, or undefined. A command that crashes before it has tested anything has caught nothing. */
async function runBattery(battery, scratch) {
  const [kind, ...words] = battery.split(' ');
  if (kind === 'spec') return runSpec(words, scratch);
  if (kind === 'node') return runSeeds('node simulator', ['--node', '--seeds', `1..${MAX_SEEDS}`, ...words], scratch);
  return (
    (await runSeeds('core simulator', ['--seeds', `1..${MAX_SEEDS}`, ...words], scratch)) ??
    (await runSpec(['test/dist/sim/regressions.test.js'], scratch)) ??
    (await runSeeds('twins, 2 rounds', ['--twins', '2'], scratch))
  );
}

async function runSeeds(where, flags, scratch) {
  const limits = ['--bail', '--jobs', '1', '--seconds', String(MAX_SECONDS)];
  const { output, errors, hung } = await run(['test/dist/sim/main.js', ...flags, ...limits], scratch);
  if (hung) return undefined;
  const failed = /^seed (\d+) failed: (\w+)/m.exec(output);
  const first = flags.includes('--twins') ? 0 : 1;
  if (failed === null && !/^\d+ passed, 0 failed$/m.test(output)) throw new Error(`${where} did not run: ${errors}`);
  if (failed === null) return undefined;
  const count = Number(failed[1]) - first + 1;
  return {
    caught: `${where}, \`${failed[2]}\``,
    after: `${count} ${flags.includes('--twins') ? 'cases' : count === 1 ? 'seed' : 'seeds'}`,
  };
}

async function runSpec([file, flag, ...title], scratch) {
  const select = flag === '-g' ? ['-g', title.join(' ')] : [];
  const { output, errors } = await run(
    ['node_modules/mocha/bin/mocha.js', '--bail', '--reporter', 'json', file, ...select],
    scratch,
  );
  const start = output.indexOf('{\n');
  if (start < 0) throw new Error(`${file} did not run: ${errors}`);
  const { failures = [], passes = [] } = JSON.parse(output.slice(start, output.lastIndexOf('}') + 1));
  if (failures.length + passes.length === 0) throw new Error(`${file} has no test "${title.join(' ')}"`);
  // A test that only took too long has shown nothing.
  const name = failures.find(({ err }) => !/^Timeout of /.test(err?.message ?? ''))?.fullTitle;
  return name === undefined
    ? undefined
    : {
        caught: `\`${file.replace(/dist(-test)?\//, dirname(file).startsWith('test') ? '' : 'test/').replace(/\.js$/, '.ts')}\`: ${name}`,
        after: '1 test',
      };
}

function run(argv, scratch) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, argv, { cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let hung = false;
    const timer = setTimeout(
      () => {
        hung = true;
        child.kill('SIGKILL');
      },
      2 * MAX_SECONDS * 1_000,
    );
    child.stdout.on('data', (chunk) => (output += chunk));
    let errors = '';
    child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-4_000)));
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output, errors, hung });
    });
  });
}

function writeTable(table) {
  const file = join(root, 'docs', 'testing.md');
  const text = readFileSync(file, 'utf8');
  const [from, to] = MARK.map((mark) => text.indexOf(mark));
  if (from < 0 || to < 0) throw new Error('docs/testing.md has lost the marks of the table of mutants');
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const date = new Date().toISOString().slice(0, 10);
  const head = `${MARK[0]}\n\n${rows.length - survived} of ${rows.length} caught on ${date}, commit ${commit}.\n\n`;
  writeFileSync(file, `${text.slice(0, from)}${head}${table}\n\n${text.slice(to)}`);
}
