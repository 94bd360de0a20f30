import { createServer } from 'node:net';
import { expect } from 'chai';
import { definePlugin, z } from '@it-chain/contracts';
import { exitCodeOf, startNode } from '@it-chain/kernel';
import { echo, makePlugin, makeRole, World } from './support/world.js';

const Database = makeRole('database');
const Forger = makeRole('forger');

/** Mistakes that other nodes of this kind live on with; ours must not start, within seconds, and say what is wrong. */
describe('mistakes that other nodes survive', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.close());

  const database = () => makePlugin('database', { provides: [Database] });
  const forger = () =>
    makePlugin('forger', {
      provides: [Forger],
      requires: [Database],
      config: z.strictObject({ maxTransactions: z.int().default(1) }).prefault({}),
    });

  async function refused(plugins: readonly unknown[]) {
    const error = await world.refused({ config: { plugins, timeouts: { setupMs: 200, startMs: 200, stopMs: 500 } } });
    expect(exitCodeOf(error)).to.equal(2);
    return error;
  }

  it('plugin package does not exist: the nearest installed one is named', async () => {
    world.write('node_modules/@acme/note/package.json', '{ "name": "@acme/note", "keywords": ["it-chain-plugin"] }');
    world.write('node_modules/@it-chain/plugin-leveldb/package.json', '{}');
    world.write('it-chain.config.yaml', 'plugins:\n  - use: "@acme/nope"\n  - use: "@it-chain/plugin-levelbd"\n');
    const error = await world.refused();
    expect(error.code).to.equal('ERR_PLUGIN_NOT_FOUND');
    expect(exitCodeOf(error)).to.equal(2);
    expect(error.message).to.contain(
      `${world.folder}/it-chain.config.yaml:2:5 plugins[0].use: no package @acme/nope is installed; did you mean @acme/note?`,
    );
    expect(error.message).to.contain('did you mean @it-chain/plugin-leveldb?');
  });

  it('wrong option type: plugin, file, line and key', async () => {
    (globalThis as Record<string, unknown>)['itChainForger'] = forger();
    world.write('forger.mjs', 'export default globalThis.itChainForger;');
    world.write('it-chain.config.yaml', 'plugins:\n  - use: ./forger.mjs\n    with:\n      maxTransactions: many\n');
    const error = await world.refused();
    expect(error.message).to.contain(
      `${world.folder}/it-chain.config.yaml:4:7 plugins[0].with.maxTransactions: has a wrong value (expected a number, got "many"`,
    );
    expect(world.has('data')).to.equal(false);
  });

  it('misspelt option key: did you mean', async () => {
    const error = await refused([{ use: database() }, { use: forger(), with: { maxTransaction: 5 } }]);
    expect(error.message).to.contain('plugins[1].with.maxTransaction: unknown key; did you mean maxTransactions?');
  });

  it('two entries swapped: no mistake here, roles decide the order', async () => {
    const started: string[] = [];
    const noting = (name: string, parts: Parameters<typeof makePlugin>[1] = {}) =>
      definePlugin({
        ...makePlugin(name, parts),
        setup: (context) => {
          for (const role of parts.provides ?? []) context.serve(role, echo as never);
          return { start: () => void started.push(name) };
        },
      });
    const node = await world.start({
      config: {
        plugins: [{ use: noting('a', { requires: [Database] }) }, { use: noting('b', { provides: [Database] }) }],
      },
    });
    expect(started).to.deep.equal(['b', 'a']);
    await node.stop();
  });

  it('required plugin removed: the role and who requires it', async () => {
    const error = await refused([{ use: forger() }]);
    expect(error.code).to.equal('ERR_PLUGIN_ROLE_MISSING');
    expect(error.message).to.contain('the plugin forger requires the role database.v1, which no plugin provides');
    expect(world.has('data')).to.equal(false);
  });

  it('duplicate entry: both places', async () => {
    const error = await refused([{ use: database() }, { use: database() }]);
    expect(error.code).to.equal('ERR_PLUGIN_DUPLICATE');
    expect(error.message).to.contain('plugins[1]').and.contain('plugins[0]');
  });

  it('port in use: plugin, phase and cause', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const listener = definePlugin({
      ...makePlugin('listener'),
      setup: () => ({
        start: () =>
          new Promise<void>((resolve, reject) =>
            createServer().once('error', reject).listen(port, '127.0.0.1', resolve),
          ),
      }),
    });
    const error = await refused([{ use: listener }]);
    expect(error.message)
      .to.match(/the plugin listener failed in start: .*EADDRINUSE/)
      .and.contain(String(port));
    await new Promise((resolve) => server.close(resolve));
  });

  it('optional plugin throws in start: the node does not go on without it', async () => {
    const thrower = definePlugin({
      ...makePlugin('observer'),
      setup: () => ({
        start: () => {
          throw new Error('boom');
        },
      }),
    });
    const error = await refused([{ use: database() }, { use: thrower }]);
    expect(error.message).to.equal('the plugin observer failed in start: boom');
  });

  it('plugin never returns from start: a limit, and a signal ends it sooner', async () => {
    const hanging = definePlugin({
      ...makePlugin('hanging'),
      setup: () => ({ start: () => new Promise<void>(() => undefined) }),
    });
    const error = await refused([{ use: hanging }]);
    expect(error.message).to.equal('the plugin hanging did not finish start within 200 ms');
    const stop = new AbortController();
    const seen: string[] = [];
    const aborted = await world.refused({
      config: { plugins: [{ use: hanging }] },
      signal: stop.signal,
      onStage: ({ name }) => {
        seen.push(name);
        if (name === 'setup') stop.abort();
      },
    });
    expect(aborted.code).to.equal('ERR_NODE_ABORTED');
    expect(seen.at(-1)).to.equal('setup');
  });

  it('required dependency missing: setup is not even called', async () => {
    let called = false;
    const dependent = definePlugin({
      ...makePlugin('dependent', { requires: [Database] }),
      setup: () => void (called = true),
    });
    expect((await refused([{ use: dependent }])).code).to.equal('ERR_PLUGIN_ROLE_MISSING');
    expect(called).to.equal(false);
  });

  it('dependency version out of range: refused, and the version that is there is named', async () => {
    const later = makePlugin('later', { requires: [makeRole('database', 2)] });
    const error = await refused([{ use: database() }, { use: later }]);
    expect(error.code).to.equal('ERR_PLUGIN_ROLE_MISSING');
    expect(error.message).to.contain('database.v2').and.contain('database.v1 is provided');
  });

  it('plugin in a folder: loads, with its package.json or without', async () => {
    const module = (name: string) => `export default { name: '${name}', version: '1.0.0', api: 1, setup() {} };`;
    world.write('plugins/one/package.json', '{ "type": "module", "exports": { ".": { "import": "./main.js" } } }');
    world.write('plugins/one/main.js', module('one'));
    world.write('plugins/two/index.mjs', module('two'));
    world.write('node_modules/three/package.json', '{ "type": "module", "exports": { "import": "./main.js" } }');
    world.write('node_modules/three/main.js', module('three'));
    world.write('node_modules/four/package.json', '{ "main": "main.cjs" }');
    world.write(
      'node_modules/four/main.cjs',
      "exports.__esModule = true; exports.default = { name: 'four', version: '1.0.0', api: 1, setup() {} };",
    );
    const use = ['./plugins/one', './plugins/two', 'three', 'four', `${world.folder}/plugins/five.mjs`].map(
      (entry) => ({ use: entry }),
    );
    world.write('plugins/five.mjs', module('five'));
    const node = await world.start({ config: { plugins: use } });
    expect(node.inspect().plugins.map(({ name }) => name)).to.have.members(['one', 'two', 'three', 'four', 'five']);
  });

  it('two copies of contracts: a plugin is known by its mark, an error by its code', async () => {
    const mark = Symbol.for('it-chain:plugin');
    const foreign = {
      name: 'foreign',
      version: '1.0.0',
      api: 1,
      [mark]: true,
      provides: [],
      requires: [],
      uses: [],
      setup: () => ({
        start: () => {
          const error = Object.assign(new Error('disk full'), {
            code: 'ERR_STORAGE_IO',
            hint: 'free space',
            [Symbol.for('it-chain:error')]: true,
          });
          throw error;
        },
      }),
    };
    const error = await world.refused({ config: { plugins: [{ use: foreign }] } });
    expect(error.hint).to.equal('free space');
    expect(exitCodeOf(error)).to.equal(11);
  });

  it('no bus at all: says what to add', async () => {
    const error = await startNode({
      ...world.options({ config: { plugins: [{ use: database() }] } }),
      version: '1',
      logDestination: { write: () => undefined },
    }).catch((thrown: unknown) => thrown as { code: string });
    expect(error).to.have.property('code', 'ERR_NODE_NO_BUS');
  });
});
