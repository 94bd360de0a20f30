import { expect } from 'chai';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/node-process.js';
import { scratch } from '../support/network.js';
import { freePort } from '../support/free-port.js';
import { until } from '../support/until.js';
import { npm, startRegistry, type Registry } from './registry.js';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}
type Json = Readonly<Record<string, unknown>>;

const manifests = readdirSync(join(root, 'packages'))
  .map((name) => join(root, 'packages', name, 'package.json'))
  .filter((file) => existsSync(file))
  .map((file) => JSON.parse(readFileSync(file, 'utf8')) as Manifest)
  .filter((manifest) => manifest.private !== true);

describe('the packages, as they would be published', () => {
  const versions = new Map(manifests.map(({ name, version }) => [name, version]));

  it('ask for versions of each other that are there', () => {
    const wrong: string[] = [];
    for (const { name, dependencies = {}, peerDependencies = {} } of manifests) {
      for (const [needed, range] of Object.entries({ ...dependencies, ...peerDependencies })) {
        const version = versions.get(needed);
        if (version !== undefined && !fits(version, range)) wrong.push(`${name} asks for ${needed} ${range}`);
      }
    }
    expect(wrong).to.deep.equal([]);
  });

  it('a plugin has contracts as a peer, so that a node has one copy of them', () => {
    for (const { name, peerDependencies } of manifests.filter(({ name }) => name.startsWith('@it-chain/plugin-'))) {
      expect(peerDependencies, name).to.have.property('@it-chain/contracts');
    }
  });

  it('a release writes where the repository is, which the provenance of npm is checked against', () => {
    const folder = scratch();
    try {
      const git = (...args: string[]): string => {
        const { status, stdout, stderr } = spawnSync('git', args, { cwd: folder.dir, encoding: 'utf8' });
        expect(status, stderr).to.equal(0);
        return stdout;
      };
      const run = () =>
        spawnSync(process.execPath, [join(root, 'scripts', 'set-repository.mjs'), '--root', folder.dir], {
          encoding: 'utf8',
        });
      const file = join(folder.dir, 'packages', 'one', 'package.json');
      mkdirSync(join(folder.dir, 'packages', 'one'), { recursive: true });
      writeFileSync(file, JSON.stringify({ name: 'one', version: '1.0.0' }));
      git('init', '--quiet');
      git('remote', 'add', 'origin', folder.dir);
      expect(run().status, 'a remote that is a folder').to.equal(1);
      for (const remote of ['git@host.example:owner/name.git', 'https://user:secret@host.example/owner/name']) {
        git('remote', 'set-url', 'origin', remote);
        const { status, stderr } = run();
        expect(status, stderr).to.equal(0);
        const { repository } = JSON.parse(readFileSync(file, 'utf8')) as Json;
        const url = 'git+https://host.example/owner/name.git';
        expect(repository).to.deep.equal({ type: 'git', url, directory: 'packages/one' });
      }
      expect(git('diff', '--cached', '--name-only')).to.equal('packages/one/package.json\n');
    } finally {
      folder.remove();
    }
  });
});

// Downloads a registry and installs from it: `npm run publish-test`.
if (process.env['PUBLISH'] === '1') {
  describe('published one by one to a private registry', function () {
    this.timeout(1_800_000);
    const folder = scratch();
    const home = join(folder.dir, 'node');
    let registry: Registry;
    let node: ChildProcess | undefined;
    let api = '';

    before(async () => {
      registry = await startRegistry(join(folder.dir, 'registry'));
    });
    after(async () => {
      await stop();
      await registry.stop();
      folder.remove();
    });

    it('every package is taken', () => {
      for (const { name } of manifests) publish(join(root, 'packages', folderOf(name)));
    });

    it('somebody else makes a plugin with what is published, tests it, and publishes it', () => {
      const tools = emptyPackage('tools');
      // What `npm create it-chain-plugin` does; only this package is without a scope, and it needs no other.
      npm(['install', 'create-it-chain-plugin', '--registry', registry.url], tools, registry.env);
      const create = join(tools, 'node_modules', '.bin', 'create-it-chain-plugin');
      const plugin = join(folder.dir, 'tally');
      const made = spawnSync(create, ['@acme/tally', '--kind', 'application', '--dir', plugin, '--no-interactive'], {
        cwd: tools,
        encoding: 'utf8',
      });
      expect(made.status, made.stderr).to.equal(0);
      npm(['install', '--no-audit', '--no-fund', '--loglevel=error'], plugin, registry.env);
      expect(npm(['test'], plugin, registry.env)).to.match(/ passing/);
      publish(plugin);
    });

    it('the command and that plugin install into an empty folder', () => {
      emptyPackage('node');
      install('@it-chain/cli', '@acme/tally');
      const contracts = npm(['ls', '@it-chain/contracts', '--all', '--parseable'], home, registry.env).trim();
      expect(new Set(contracts.split('\n').filter((path) => path.endsWith('contracts')))).to.have.length(1);
    });

    it('a node of installed packages commits a transaction', async () => {
      await start({});
      expect(run('kv', 'put', 'a', 'b', '--wait', '--timeout', '120000')).to.include({ status: 'committed' });
      expect(run('kv', 'get', 'a')).to.include({ value: 'b' });
    });

    it('a second version of one plugin is taken up, and nothing else changes', async () => {
      const before = pluginVersions();
      await stop();
      const next = join(folder.dir, 'plugin-kv');
      cpSync(join(root, 'packages', 'plugin-kv'), next, {
        recursive: true,
        filter: (path) => !/node_modules|dist-test|[/\\]test$/.test(path),
      });
      const manifest = JSON.parse(readFileSync(join(next, 'package.json'), 'utf8')) as Manifest;
      const [major = 1, minor = 0] = manifest.version.split('.').map(Number);
      const version = `${major}.${minor + 1}.0`;
      writeFileSync(join(next, 'package.json'), JSON.stringify({ ...manifest, version }));
      publish(next);
      install('@it-chain/plugin-kv@latest');
      await start({});
      expect(pluginVersions()).to.deep.equal({ ...before, kv: version });
      expect(run('kv', 'get', 'a'), 'what was committed before').to.include({ value: 'b' });
    });

    it('the plugin of somebody else takes the place of ours by one line, and does its work', async () => {
      await stop();
      await start({ application: '@acme/tally', dataDir: './tally' });
      for (const count of ['1', '2']) {
        const sent = run('tx', 'send', 'blue', '--wait', '--timeout', '120000');
        expect(sent).to.include({ status: 'committed' });
        const { output } = sent['result'] as { readonly output: string };
        expect(Buffer.from(output, 'hex').toString(), 'what the application answered').to.equal(count);
      }
      expect(pluginVersions()).to.include({ '@acme/tally': '1.0.0' }).and.not.have.property('kv');
    });

    function emptyPackage(name: string): string {
      const dir = join(folder.dir, name);
      mkdirSync(dir);
      writeFileSync(join(dir, 'package.json'), JSON.stringify({ private: true }));
      return dir;
    }

    function publish(dir: string): void {
      npm(['publish', '--registry', registry.url, '--provenance=false', '--loglevel=error'], dir, registry.env);
    }

    function install(...what: readonly string[]): void {
      npm(['install', '--no-audit', '--no-fund', '--loglevel=error', ...what], home, registry.env);
    }

    async function start({
      application,
      dataDir = './data',
    }: {
      application?: string;
      dataDir?: string;
    }): Promise<void> {
      const ports = [await freePort(), await freePort()];
      api = `127.0.0.1:${ports[1] ?? 0}`;
      const plugins = ['gateway', 'p2p', 'leveldb', 'txpool', 'chain', 'consensus'].map((name) => ({
        use: `@it-chain/plugin-${name}`,
        ...(name === 'gateway'
          ? { with: { peers: { listen: `127.0.0.1:${ports[0] ?? 0}` }, api: { listen: api } } }
          : {}),
      }));
      const config = {
        node: { dataDir },
        bus: { listen: '127.0.0.1:0' },
        plugins: [...plugins, { use: application ?? '@it-chain/plugin-kv' }],
      };
      writeFileSync(join(home, 'it-chain.config.json'), JSON.stringify(config));
      let out = '';
      const child = spawn(process.execPath, [bin(), 'start', '--solo', '--json'], {
        cwd: home,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      node = child;
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (out = (out + chunk.toString()).slice(-16_384)));
      }
      await until(
        'the installed node to be ready',
        () => {
          if (child.exitCode !== null) throw new Error(out);
          return out.includes('"ready":true');
        },
        30_000,
      );
    }

    async function stop(): Promise<void> {
      const child = node;
      node = undefined;
      if (child?.exitCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }

    const bin = (): string => join(home, 'node_modules', '.bin', 'it-chain');

    function run(...words: readonly string[]): Json {
      const args = [bin(), ...words, '--json', '--api', api];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: home, encoding: 'utf8' });
      expect(status, stderr).to.equal(0);
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Json;
    }

    function pluginVersions(): Record<string, string> {
      const { plugins } = run('status') as { plugins: readonly { name: string; version: string }[] };
      return Object.fromEntries(plugins.map(({ name, version }) => [name, version]));
    }
  });
}

/** True where `^a.b.c`, the one form of range between our packages, takes the version. Majors begin with 1. */
function fits(version: string, range: string): boolean {
  const [have, least] = [version, range.replace(/^\^/, '')].map((text) => text.split('.').map(Number));
  if (!range.startsWith('^') || have === undefined || least === undefined || have[0] !== least[0]) return false;
  const weigh = ([, minor = 0, patch = 0]: readonly number[]): number => minor * 1e6 + patch;
  return weigh(have) >= weigh(least);
}

const folderOf = (name: string): string => name.replace('@it-chain/', '');
