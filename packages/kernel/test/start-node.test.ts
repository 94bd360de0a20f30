import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { definePlugin, event, failure, message, string, z, type Bus, type PluginContext } from '@it-chain/contracts';
import { exitCodeOf, MemoryBus, nodeHealth, STAGE_NAMES } from '@it-chain/kernel';
import { echo, makePlugin, makeRole, World } from './support/world.js';

const Happened = event({
  name: 'thing.happened',
  doc: 'A thing happened.',
  body: message('Thing', { what: string(1) }),
});
const Store = { ...makeRole('store'), events: { happened: Happened } };
const Pool = makeRole('pool');

describe('startNode', () => {
  let world: World;
  let told: string[];
  beforeEach(() => {
    world = new World();
    told = [];
  });
  afterEach(() => world.close());

  /** A plugin that tells every step of its life. */
  function telling(
    name: string,
    parts: Parameters<typeof makePlugin>[1] = {},
    more: (context: PluginContext) => void = () => undefined,
  ) {
    return definePlugin({
      ...makePlugin(name, parts),
      setup(context) {
        told.push(`${name} setup`);
        for (const role of parts.provides ?? []) context.serve(role, echo as never);
        context.onAccept(() => {
          told.push(`${name} accept`);
          return Promise.resolve(() => {
            told.push(`${name} unaccept`);
            return Promise.resolve();
          });
        });
        more(context);
        return { start: () => void told.push(`${name} start`), stop: () => void told.push(`${name} stop`) };
      },
    });
  }

  const three = () => [
    { use: telling('api', { requires: [Pool, Store] }) },
    { use: telling('pool', { provides: [Pool], requires: [Store] }) },
    { use: telling('store', { provides: [Store] }) },
  ];

  it('goes through its stages in order, and back', async () => {
    const stages: string[] = [];
    const node = await world.start({ config: { plugins: three() }, onStage: ({ name }) => stages.push(name) });
    expect(stages).to.deep.equal([...STAGE_NAMES]);
    expect(node.inspect().stages.map(({ name }) => name)).to.deep.equal([...STAGE_NAMES]);
    expect(node.inspect().plugins.map(({ state }) => state)).to.deep.equal(['ready', 'ready', 'ready']);
    expect(await node.stop()).to.deep.equal([]);
    expect(told).to.deep.equal([
      ...['store setup', 'pool setup', 'api setup', 'store start', 'pool start', 'api start'],
      ...['store accept', 'pool accept', 'api accept', 'api unaccept', 'pool unaccept', 'store unaccept'],
      ...['api stop', 'pool stop', 'store stop'],
    ]);
    expect(node.inspect().plugins.map(({ state }) => state)).to.deep.equal(['stopped', 'stopped', 'stopped']);
    expect(node.bus.stats().state).to.equal('closed');
  });

  it('has a bus in memory where the config says so, although no plugin brings one, and closes it', async () => {
    const node = await world.start({ bus: undefined, config: { bus: { memory: true }, plugins: three() } });
    expect(node.bus).to.be.an.instanceOf(MemoryBus);
    expect(node.inspect().plugins.map(({ state }) => state)).to.deep.equal(['ready', 'ready', 'ready']);
    await node.bus.waitForRole('store.v1', 10);
    expect(await node.stop()).to.deep.equal([]);
    expect(node.bus.stats().state).to.equal('closed');
  });

  it('stops in reverse what had started when a later plugin fails, the failed one among it', async () => {
    const failing = definePlugin({
      ...makePlugin('last', { requires: [Pool] }),
      setup: () => ({
        start: () =>
          Promise.reject(failure('ERR_STORAGE_DAMAGED', 'a value does not match its checksum', { hint: 'restore it' })),
        stop: () => void told.push('last stop'),
      }),
    });
    const bus = new MemoryBus();
    const error = await world.refused({ bus, config: { plugins: [...three().slice(1), { use: failing }] } });
    expect(error.message).to.equal(
      'the plugin last failed in start: a value does not match its checksum (ERR_STORAGE_DAMAGED)',
    );
    expect(error.hint).to.equal('restore it');
    expect(error.data).to.include({ plugin: 'last', phase: 'start' });
    expect(exitCodeOf(error)).to.equal(10);
    expect(told.slice(-3)).to.deep.equal(['last stop', 'pool stop', 'store stop']);
    expect(bus.stats().state).to.equal('closed');
  });

  it('serves a role only when the start of its plugin has returned', async () => {
    const bus = new MemoryBus();
    let reachable: boolean | undefined;
    const slow = definePlugin({
      ...makePlugin('slow', { provides: [Store] }),
      setup: (context) => {
        context.serve(Store, echo);
        return {
          start: async () => {
            reachable = await bus.waitForRole('store.v1', 5).then(
              () => true,
              () => false,
            );
          },
        };
      },
    });
    await world.start({ bus, config: { plugins: [{ use: slow }] } });
    expect(reachable).to.equal(false);
    await bus.waitForRole('store.v1', 10);
  });

  it('lets a plugin hear what is told in the start of another', async () => {
    const heard: string[] = [];
    const hearing = definePlugin({
      ...makePlugin('hearing', { requires: [Store] }),
      setup: (context) => {
        context.on(Happened, ({ what }) => void heard.push(what));
        return {
          start: async () => {
            while (heard.length === 0) await context.clock.sleep(1);
          },
        };
      },
    });
    const loud = definePlugin({
      ...makePlugin('loud', { provides: [Store] }),
      setup: (context) => {
        context.serve(Store, echo);
        return { start: () => context.emit(Happened, { what: 'early' }) };
      },
    });
    await world.start({ config: { plugins: [{ use: hearing }, { use: loud }] } });
    expect(heard).to.deep.equal(['early']);
  });

  it('gives a plugin its section, its folder, the node and a proxy that answers', async () => {
    let seen: unknown;
    const config = z.strictObject({ size: z.int().default(3) }).prefault({});
    const user = definePlugin({
      name: 'user',
      version: '2.0.0',
      requires: [Store],
      config,
      setup: (context) => {
        const store = context.use(Store);
        return {
          start: async () => {
            seen = {
              config: context.config,
              node: context.node,
              dir: context.dataDir(),
              bus: context.busConfig,
              answer: await store.say({ text: 'hello' }),
              signed: (await context.sign('record', new Uint8Array(32), new Uint8Array(1))).length,
            };
          },
        };
      },
    });
    const node = await world.start({
      solo: true,
      acceptDoubleSignRisk: true,
      config: {
        node: { name: 'alice' },
        bus: { url: 'amqp://broker' },
        plugins: [{ use: user, with: { size: 4 } }, { use: makePlugin('store', { provides: [Store] }) }],
      },
    });
    const dataDir = join(world.folder, 'data/alice');
    expect(seen).to.deep.equal({
      config: { size: 4 },
      node: { dataDir, name: 'alice', solo: true, version: '1.0.0', acceptDoubleSignRisk: true },
      dir: join(dataDir, 'plugins/user'),
      bus: { url: 'amqp://broker' },
      answer: { text: 'hello' },
      signed: 64,
    });
    expect(statSync(dataDir).mode & 0o777).to.equal(0o700);
    expect(node.identity.name).to.equal('alice');
  });

  it('keeps its key: the same node after a restart', async () => {
    const plugins = [{ use: makePlugin('a') }];
    const first = await world.start({ config: { plugins } });
    await first.stop();
    const second = await world.start({ config: { plugins } });
    expect(second.nodeId).to.equal(first.nodeId);
  });

  it('tells the fatal call of a plugin once, with its exit code', async () => {
    let context: PluginContext | undefined;
    const plugin = definePlugin({ ...makePlugin('store'), setup: (given) => void (context = given) });
    const node = await world.start({ config: { plugins: [{ use: plugin }] } });
    context?.fatal('io', new Error('no space left'));
    context?.fatal('damaged', new Error('later'));
    const failed = await node.failed;
    expect(failed).to.deep.include({ kind: 'io', plugin: 'store' });
    expect(failed.error.message).to.equal('no space left');
    expect(exitCodeOf(failed)).to.equal(11);
    expect(nodeHealth(node.inspect().plugins)).to.deep.equal({ state: 'failing', reason: 'store: no space left' });
    expect(await node.stop()).to.deep.equal([]);
  });

  it('connects to the broker of bus.url by itself, under the first 16 characters of the id', async () => {
    const asked: unknown[] = [];
    const connectBus = (url: string, namespace: string): Promise<Bus> => {
      asked.push(url, namespace);
      return Promise.resolve(new MemoryBus());
    };
    const node = await world.start({
      bus: undefined,
      connectBus,
      config: { bus: { url: 'amqp://u:hunter2@broker' }, plugins: [{ use: makePlugin('a') }] },
    });
    expect(asked).to.deep.equal(['amqp://u:hunter2@broker', node.nodeId.slice(0, 16)]);
    const refusing = () => Promise.reject(new Error('connect ECONNREFUSED'));
    await node.stop();
    const error = await world.refused({
      bus: undefined,
      connectBus: refusing,
      config: { bus: { url: 'amqp://u:hunter2@broker' }, plugins: [{ use: makePlugin('a') }] },
    });
    expect(error).to.include({
      code: 'ERR_BUS_UNREACHABLE',
      message: 'the broker amqp://***@broker cannot be reached: connect ECONNREFUSED',
    });
    expect(exitCodeOf(error)).to.equal(3);
  });

  it('refuses a bus that is none', async () => {
    const plugin = definePlugin({
      ...makePlugin('gateway'),
      setup: (context) => context.provideBus(() => Promise.resolve({} as Bus)),
    });
    const error = await world.refused({ bus: undefined, config: { plugins: [{ use: plugin }] } });
    expect(error).to.include({ code: 'ERR_PLUGIN_SHAPE' });
    expect(error.message).to.contain('gateway lacks serve, request');
  });

  it('says what keeps it from its data directory, with exit code 12', async () => {
    writeFileSync(join(world.folder, 'file'), '');
    const plugins = [{ use: makePlugin('a') }];
    const error = await world.refused({ config: { node: { dataDir: './file/deeper' }, plugins } });
    expect(error).to.include({ code: 'ERR_NODE_DATA_DIR' });
    expect(exitCodeOf(error)).to.equal(12);
    mkdirSync(join(world.folder, 'open'));
    chmodSync(join(world.folder, 'open'), 0o755);
    await world.start({ config: { node: { dataDir: './open' }, plugins } });
    expect(world.lines.join('')).to.contain('others can read the data directory');
  });

  it('runs many nodes in one process that share nothing', async () => {
    const nodes = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        world.start({ bus: new MemoryBus(), config: { node: { name }, plugins: three() } }),
      ),
    );
    expect(new Set(nodes.map(({ nodeId }) => nodeId)).size).to.equal(3);
    expect(nodes.map((node) => node.inspect().plugins.length)).to.deep.equal([3, 3, 3]);
  });

  it('never logs a secret or a stack at the default level', async () => {
    const plugin = definePlugin({
      ...makePlugin('leaky'),
      setup: (context) => {
        const error = new Error('amqp://user:hunter2@broker refused');
        context.log.error('could not connect', {
          error,
          apiToken: 'hunter2',
          nested: { password: 'hunter2', privateKey: new Uint8Array(32) },
        });
      },
    });
    await world.start({ config: { plugins: [{ use: plugin }] } });
    const text = world.lines.join('');
    expect(text).to.contain('could not connect').and.contain('***');
    expect(text).to.not.contain('hunter2').and.not.contain('    at ').and.not.contain('0'.repeat(32));
  });
});
