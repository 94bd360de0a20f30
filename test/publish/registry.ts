import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { until } from '../support/until.js';

/** Installed by the test in a folder of its own, since nothing else needs it. The last line that runs on Node 20. */
const VERDACCIO = '6.8.0';

/** A private npm registry on loopback. */
export interface Registry {
  readonly url: string;
  /** The environment in which npm looks there for packages of our scope and of `@acme`, and sends those named there. */
  readonly env: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

/** Starts a registry that keeps our packages and knows no others. */
export async function startRegistry(dir: string): Promise<Registry> {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  install(dir);
  const open = '{ access: $all, publish: $all, unpublish: $all }';
  const config = [
    'storage: ./storage',
    'auth: { htpasswd: { file: ./htpasswd, max_users: -1 } }',
    'uplinks: {}',
    `packages: { '@it-chain/*': ${open}, '**': ${open} }`,
    'log: { type: file, path: ./verdaccio.log, level: warn, format: json }',
    'web: { enable: false }',
  ];
  writeFileSync(join(dir, 'config.yaml'), `${config.join('\n')}\n`);
  const bin = join(dir, 'node_modules', 'verdaccio', 'bin', 'verdaccio');
  const child: ChildProcess = spawn(
    process.execPath,
    [bin, '-c', join(dir, 'config.yaml'), '-l', `127.0.0.1:${port}`],
    {
      cwd: dir,
      stdio: 'ignore',
    },
  );
  await until('the registry to answer', async () => (await fetch(`${url}-/ping`)).ok, 20_000);
  // Two scopes only: everything else comes from wherever npm gets it on this machine.
  const npmrc = join(dir, 'user.npmrc');
  const scopes = ['@it-chain', '@acme'].map((scope) => `${scope}:registry=${url}\n`);
  writeFileSync(npmrc, `${scopes.join('')}//127.0.0.1:${port}/:_authToken=local-only\n`);
  return {
    url,
    env: { ...process.env, NPM_CONFIG_USERCONFIG: npmrc },
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

function install(dir: string): void {
  // verdaccio asks for a version of node-fetch by a tag that not every registry has.
  const manifest = { private: true, overrides: { 'node-fetch': '2.7.0' }, dependencies: { verdaccio: VERDACCIO } };
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest));
  npm(['install', '--no-audit', '--no-fund', '--loglevel=error'], dir, process.env);
}

/** Runs npm. @throws what it wrote, where it failed */
export function npm(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): string {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, env, encoding: 'utf8', timeout: 900_000 });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${String(status)}\n${stdout}\n${stderr}`);
  return stdout;
}
