// Installs from the lock file and builds, each only when something changed since the last time.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamps = join(root, 'node_modules', '.it-chain');

/** Makes the checkout ready. `what`: 'src' builds what runs, 'all' the tests too. */
export function setup(what = 'all') {
  requireNode();
  install();
  build(what);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  process.stderr.write(`it-chain needs Node 20.19 or later; this is ${process.version}\n`);
  process.exit(2);
}

function install() {
  const lock = digest(readFileSync(join(root, 'package-lock.json')));
  if (readStamp('install') === lock && existsSync(join(root, 'node_modules', 'typescript7'))) return;
  process.stderr.write('installing from package-lock.json ...\n');
  const npm = process.env.npm_execpath;
  const [command, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  run(command, [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeStamp('install', lock);
}

function build(what) {
  const sources = digest(fingerprint(what).join('\n'));
  if (readStamp(`build-${what}`) === sources && existsSync(join(root, 'packages', 'cli', 'dist', 'bin.js'))) return;
  process.stderr.write('building ...\n');
  const folders = ['packages', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name)),
  );
  const projects = what === 'all' ? [] : folders.filter((folder) => existsSync(join(root, folder, 'tsconfig.json')));
  run(process.execPath, [join(root, 'node_modules', 'typescript7', 'bin', 'tsc'), '-b', ...projects]);
  writeStamp(`build-${what}`, sources);
}

/** Path, size and time of every file that a build reads. */
function fingerprint(what) {
  const lines = [];
  const skip = new Set(['node_modules', 'dist', 'dist-test', '.nx', 'coverage', 'data']);
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!skip.has(entry.name) && (what === 'all' || entry.name !== 'test')) walk(path);
      } else if (/\.(ts|json)$/.test(entry.name)) {
        const { size, mtimeMs } = statSync(path);
        lines.push(`${path} ${size} ${mtimeMs}`);
      }
    }
  };
  walk(join(root, 'packages'));
  walk(join(root, 'examples'));
  if (what === 'all') walk(join(root, 'test'));
  for (const name of ['tsconfig.json', 'tsconfig.base.json']) lines.push(digest(readFileSync(join(root, name))));
  return lines;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  process.stderr.write(`set-up failed: ${command} ${args.join(' ')}${error ? `: ${error.message}` : ''}\n`);
  process.exit(1);
}

function digest(content) {
  return createHash('sha256').update(content).digest('hex');
}

function readStamp(name) {
  const file = join(stamps, name);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function writeStamp(name, content) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, name), content);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) setup('all');
