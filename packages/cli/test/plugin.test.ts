import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { run } from './run.js';

const CONFIG = `# The node of the tests.
node: { name: alice } # a name

plugins:
  # The door.
  - use: '@it-chain/plugin-gateway'
    with: { api: { listen: '127.0.0.1:0' } } # any free port
  - use: "@it-chain/plugin-p2p"
  - use: '@it-chain/plugin-leveldb'
  - use: '@it-chain/plugin-txpool'
  - use: '@it-chain/plugin-chain'
  - use: '@it-chain/plugin-consensus'
  # What the network is for.
  - use: '@it-chain/plugin-kv'
log:
  level: warn
`;

interface Finding {
  readonly level: string;
  readonly code: string;
  readonly place: string;
  readonly message: string;
  readonly fix: string;
}

describe('it-chain plugin', () => {
  let folder: string;
  const file = (): string => join(folder, 'it-chain.config.yaml');
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  /** A plugin in plain JavaScript, in a package of its own. */
  const plugin = (name: string, manifest = '', peer = '^1.0.0'): void => {
    const fields = { name, version: '1.2.3', type: 'module', exports: './index.js' };
    write(`${name}/package.json`, JSON.stringify({ ...fields, peerDependencies: { '@it-chain/contracts': peer } }));
    write(`${name}/index.js`, `export default { name: '${name}', version: '1.2.3', api: 1, setup() {}, ${manifest} };`);
  };
  const call = (...words: string[]): ReturnType<typeof run> => run(['plugin', ...words], { cwd: folder });
  const findings = async (): Promise<readonly Finding[]> =>
    (await call('doctor', '--json')).json[0]?.['findings'] as readonly Finding[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'it-chain-plugin-verb-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('list shows the plugins in force with their roles, also where one cannot be loaded', async () => {
    const standard = await call('list', '--json');
    expect(standard.json[0]).to.include({ file: null });
    expect((standard.json[0]?.['plugins'] as object[]).length).to.equal(7);
    plugin('listener');
    write('it-chain.config.yaml', `plugins:\n  - use: ./listener\n  - use: ./gone\n  - use: '@it-chain/plugin-kv'\n`);
    const { code, json } = await call('list', '--json');
    expect(code).to.equal(0);
    expect(json[0]?.['plugins']).to.deep.equal([
      { use: './listener', name: 'listener', role: null, version: '1.2.3', package: 'listener', loaded: true },
      { use: './gone', name: null, role: null, version: null, package: null, loaded: false },
      {
        use: '@it-chain/plugin-kv',
        name: 'kv',
        role: 'application',
        version: '1.0.0',
        package: '@it-chain/plugin-kv',
        loaded: true,
      },
    ]);
    expect((await call('list')).out).to.include('not loaded');
  });

  it('add puts a line behind the others, with its settings, and keeps every comment', async () => {
    write('it-chain.config.yaml', CONFIG);
    plugin('listener');
    const { code, out, err } = await call('add', './listener');
    expect(code, err).to.equal(0);
    expect(out).to.include('added ./listener');
    expect(readFileSync(file(), 'utf8')).to.equal(CONFIG.replace("plugin-kv'\n", "plugin-kv'\n  - use: ./listener\n"));
    expect(readdirSync(folder).sort()).to.deep.equal(['it-chain.config.yaml', 'listener']);
  });

  it('add takes a plugin into the place of another only when it is told to', async () => {
    write('it-chain.config.yaml', CONFIG);
    const taken = await call('add', '@it-chain/plugin-memory', '--json');
    expect(taken.code).to.equal(2);
    expect(taken.err).to.include('ERR_PLUGIN_ROLE_TAKEN').and.to.include('--replace');
    expect(readFileSync(file(), 'utf8')).to.equal(CONFIG);
    const replaced = await call('add', '@it-chain/plugin-memory', '--replace', '--json');
    expect(replaced.json[0]).to.include({ role: 'storage', replaced: '@it-chain/plugin-leveldb' });
    expect(readFileSync(file(), 'utf8')).to.equal(CONFIG.replace('plugin-leveldb', 'plugin-memory'));
  });

  it('add makes a file where there is none, and reads settings as YAML', async () => {
    const words = ['@it-chain/plugin-kv', '--replace', '--with', 'cachePages=128'];
    expect((await call('add', ...words)).code).to.equal(0);
    const text = readFileSync(file(), 'utf8');
    expect(text).to.include("- use: '@it-chain/plugin-kv'\n    with:\n      cachePages: 128");
    expect((await run(['config', 'check'], { cwd: folder })).code).to.equal(0);
  });

  it('changes nothing where the node could not start any more', async () => {
    write('it-chain.config.yaml', CONFIG);
    for (const [words, code, told] of [
      [['add', './nowhere'], 2, 'ERR_PLUGIN_NOT_FOUND'],
      [['add', '@it-chain/plugin-kv', '--replace', '--with', 'cachePags=1'], 2, 'cachePages'],
      [['add', '@it-chain/plugin-kv', '--with', 'cachePages'], 2, 'key=value'],
      [['remove', 'storage'], 2, 'ERR_PLUGIN_ROLE_MISSING'],
      [['remove', 'nobody'], 4, 'no plugin of the list is "nobody"'],
    ] as const) {
      const result = await call(...words);
      expect(result.code, words.join(' ')).to.equal(code);
      expect(result.err).to.include(told);
      expect(readFileSync(file(), 'utf8'), words.join(' ')).to.equal(CONFIG);
    }
    expect(readdirSync(folder)).to.deep.equal(['it-chain.config.yaml']);
  });

  it('remove finds a plugin by what the config calls it, its name or its role', async () => {
    plugin('listener');
    const with_ = CONFIG.replace("plugin-kv'\n", "plugin-kv'\n  - use: ./listener # listens\n");
    for (const name of ['./listener', 'listener']) {
      write('it-chain.config.yaml', with_);
      expect((await call('remove', name)).code).to.equal(0);
      expect(readFileSync(file(), 'utf8')).to.equal(CONFIG);
    }
    const forced = await call('remove', 'application', '--force', '--json');
    expect(forced.json[0]).to.include({ removed: '@it-chain/plugin-kv', role: 'application' });
    expect(readFileSync(file(), 'utf8')).to.not.include('plugin-kv');
  });

  it('changes JSON too, and leaves programs to their authors', async () => {
    plugin('listener');
    write('it-chain.config.json', JSON.stringify({ node: { name: 'alice' } }));
    expect((await call('add', './listener')).code).to.equal(0);
    const { node, plugins } = JSON.parse(readFileSync(join(folder, 'it-chain.config.json'), 'utf8')) as {
      node: object;
      plugins: object[];
    };
    expect(node).to.deep.equal({ name: 'alice' });
    expect(plugins).to.have.length(8);
    rmSync(join(folder, 'it-chain.config.json'));
    write('it-chain.config.mjs', 'export default { node: { name: "alice" } };');
    const { code, err } = await call('add', './listener');
    expect(code).to.equal(2);
    expect(err).to.include('is a program');
    expect(existsSync(file())).to.equal(false);
  });

  it('doctor finds nothing in a config that is right', async () => {
    write('it-chain.config.yaml', CONFIG);
    const { code, out } = await call('doctor');
    expect([code, out]).to.deep.equal([0, '7 plugins, nothing wrong\n']);
  });

  it('doctor finds unknown keys, missing roles and roles that nobody plays', async () => {
    write(
      'it-chain.config.yaml',
      `plugins:\n  - use: '@it-chain/plugin-kv'\n    with: { cachePags: 100 }\n  - use: '@it-chain/plugin-memory'\n`,
    );
    const unknown = await findings();
    expect(unknown).to.have.length(1 + 5);
    expect(unknown[0]).to.include({ level: 'error', code: 'ERR_CONFIG_INVALID', place: 'plugins[0].with.cachePags' });
    expect(unknown[0]?.fix).to.include('cachePages');
    write('it-chain.config.yaml', `plugins:\n  - use: '@it-chain/plugin-kv'\n`);
    const [missing, ...rest] = await findings();
    expect(missing).to.include({ level: 'error', code: 'ERR_PLUGIN_ROLE_MISSING' });
    expect(missing?.fix).to.include('storage');
    expect(rest).to.deep.equal([]);
    write('it-chain.config.yaml', CONFIG.replace("  - use: '@it-chain/plugin-consensus'\n", ''));
    const [unplayed] = await findings();
    expect(unplayed).to.include({ level: 'warning', code: 'ERR_PLUGIN_ROLE_MISSING' });
    expect(unplayed?.message).to.include('consensus');
  });

  it('doctor finds a plugin for another API, in its manifest and in its package', async () => {
    plugin('modern', 'api: 2');
    plugin('newer', '', '^2.0.0');
    plugin('wide', '', '^2.0.0 || ^1.0.0');
    plugin('open', '', '>=1');
    write('it-chain.config.yaml', `${CONFIG.replace('log:\n  level: warn\n', '')}  - use: ./modern\n`);
    const [api] = await findings();
    expect(api).to.include({ level: 'error', code: 'ERR_PLUGIN_API_VERSION' });
    expect(api?.message).to.include('API 2');
    const uses = ['newer', 'wide', 'open'].map((name) => `  - use: ./${name}\n`).join('');
    write('it-chain.config.yaml', `${CONFIG.replace('log:\n  level: warn\n', '')}${uses}`);
    const found = await findings();
    expect(found.map(({ code, place }) => [code, place])).to.deep.equal([['ERR_PLUGIN_API_VERSION', 'plugins[7]']]);
    expect((await call('doctor')).code).to.equal(2);
  });

  it('doctor finds second copies of contracts and of the kernel, and says which matter', async () => {
    plugin('carrier');
    const copy = (name: string, version: string): void => {
      const at = `carrier/node_modules/@it-chain/${name}`;
      write(`${at}/package.json`, JSON.stringify({ name: `@it-chain/${name}`, version, exports: './index.js' }));
      write(`${at}/index.js`, '');
    };
    write('it-chain.config.yaml', `${CONFIG.replace('log:\n  level: warn\n', '')}  - use: ./carrier\n`);
    expect(await findings()).to.deep.equal([]);
    copy('contracts', '1.0.9');
    expect((await findings()).map(({ level, code }) => [level, code])).to.deep.equal([
      ['warning', 'ERR_PLUGIN_COPIES'],
    ]);
    copy('contracts', '3.0.0');
    copy('kernel', '1.0.0');
    const found = await findings();
    expect(found.map(({ level, code }) => [level, code])).to.deep.equal([
      ['error', 'ERR_PLUGIN_COPIES'],
      ['error', 'ERR_PLUGIN_COPIES'],
    ]);
    expect(found[0]?.message).to.include('@it-chain/contracts@3.0.0');
    expect(found[1]?.fix).to.include('peerDependency');
  });

  it('permissions prints what a plugin may do on the bus, from its manifest, also as a policy for RabbitMQ', async () => {
    write(
      'audit.json',
      JSON.stringify({
        name: 'audit',
        version: '1.0.0',
        api: 1,
        provides: { 'audit.v1': ['audit.find.v1'] },
        calls: { 'chain.v1': ['block.range.v1'] },
        listens: ['block.committed.v1'],
      }),
    );
    write('it-chain.config.yaml', CONFIG.replace('log:', '  - use: ./audit.json\nlog:'));
    const text = await call('permissions', 'audit', '--namespace', 'n');
    expect(text.out).to.match(/serves +audit\.v1 +audit\.find\.v1[^]*calls +chain\.v1 +block\.range\.v1/);
    const [facts] = (await call('permissions', 'audit', '--namespace', 'n', '--json')).json;
    expect(facts).to.nested.include({
      user: 'n.audit',
      'permissions.configure': '^(n\\.rpc\\.audit\\.v1|n\\.evt\\.audit|amq\\.gen-.*)$',
      'permissions.read': '^(n\\.rpc\\.audit\\.v1|n\\.evt\\.audit|amq\\.gen-.*|n\\.rpc|n\\.evt)$',
    });
    const commands = await call('permissions', 'audit', '--namespace', 'n', '--rabbitmq', 'commands');
    expect(commands.out.split('\n')[0]).to.equal("rabbitmqctl add_user 'n.audit'");
    expect(commands.out).to.contain(
      "set_topic_permissions 'n.audit' 'n.rpc' '^(block\\.range\\.v1|probe\\.chain\\.v1)$' '^(audit\\.find\\.v1|probe\\.audit\\.v1)$'",
    );
    write('password', 'secret\n');
    const definitions = await call(
      ...['permissions', 'audit', '--namespace', 'n', '--rabbitmq', 'definitions', '--password-file', 'password'],
    );
    const parsed = JSON.parse(definitions.out) as Record<string, Record<string, unknown>[]>;
    expect(definitions.out).to.not.contain('secret');
    expect(parsed['topic_permissions']?.map(({ exchange }) => exchange)).to.deep.equal(['n.rpc', 'n.evt', 'n.cast']);
    expect(parsed['users']?.[0]).to.include({ name: 'n.audit', hashing_algorithm: 'rabbit_password_hashing_sha256' });
  });

  it('permissions knows the plugins inside the node too, by role, and the namespace by the id of the node', async () => {
    const id = '4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi';
    write('it-chain.config.yaml', CONFIG.replace('{ name: alice }', `{ name: alice, id: ${id} }`));
    const [facts] = (await call('permissions', 'application', '--json')).json;
    expect(facts).to.nested.include({ user: `${id.slice(0, 16)}.kv`, 'needs.serves[0].role': 'application.v1' });
    const none = await call('permissions', 'kx');
    expect(none.code).to.equal(4);
    expect(none.err).to.match(/no plugin of the list is "kx"[^]*kv/);
  });
});
