// Two fresh clones, each with an empty environment and an empty HOME: `npm start` is the very first command in one,
// `npm test` in the other.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './setup.mjs';

const folder = mkdtempSync(join(tmpdir(), 'it-chain-clone-'));
const home = join(folder, 'home');
mkdirSync(home);
// What a shell without any set-up of its own has; npm's own settings and proxies are passed on, since it installs.
const settings =
  /^(npm_config_(cache|registry|userconfig|globalconfig).*|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_.*)$/i;
const kept = Object.entries(process.env).filter(([name]) => settings.test(name));
const env = {
  PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: home,
  LANG: 'C.UTF-8',
  CI: 'true',
  ...Object.fromEntries(kept),
};

let passed = 0;
let failed = 0;
function report(name, ok) {
  process.stdout.write(`${ok ? 'ok' : 'FAILED'}: ${name}\n`);
  if (ok) passed += 1;
  else failed += 1;
}

report('npm start as the very first command prints a ready node and stops on SIGINT', await npmStart(clone('start')));
const counts = await npmTest(clone('test'));
passed += counts.passed;
failed += counts.failed;
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);

function clone(name) {
  const target = join(folder, name);
  const { status } = spawnSync('git', ['clone', '--quiet', root, target], { stdio: 'inherit' });
  if (status !== 0) throw new Error('git clone failed');
  return target;
}

function npmStart(cwd) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['start', '--silent'], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const limit = setTimeout(() => end(false), 600_000);
    let seen = '';
    let ready = false;
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      seen += chunk.toString();
      if (ready || !/second terminal/i.test(seen)) return;
      ready = true;
      signal('SIGINT');
    });
    child.on('exit', () => end(ready));
    function signal(name) {
      try {
        process.kill(-child.pid, name);
      } catch {
        // Already gone, as it should be.
      }
    }
    function end(ok) {
      clearTimeout(limit);
      signal('SIGKILL');
      resolve(ok);
    }
  });
}

function npmTest(cwd) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['test', '--silent'], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let tail = '';
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      tail = (tail + chunk.toString()).slice(-65_536);
    });
    child.on('close', (code) => {
      const last = [...tail.matchAll(/^(\d+) passed, (\d+) failed/gm)].at(-1);
      const [passed = 0, failed = 0] = (last ?? []).slice(1).map(Number);
      resolve({ passed, failed: code !== 0 && failed === 0 ? 1 : failed });
    });
  });
}
