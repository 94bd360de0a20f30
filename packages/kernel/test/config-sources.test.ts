import { expect } from 'chai';
import { z } from '@it-chain/contracts';
import { configSchema, configSources, loadConfig, shownConfig, type ConfigOptions } from '@it-chain/kernel';
import { clock, makePlugin, makeRole, World } from './support/world.js';

const Pool = makeRole('txpool');
const Section = z
  .strictObject({
    maxPending: z.int().default(1),
    dial: z.array(z.string()).default([]),
    label: z.string().default('none'),
    apiKey: z.string().optional(),
    limits: z.strictObject({ idleMs: z.int().default(5) }).prefault({}),
    certFile: z.string().meta({ format: 'path' }).optional(),
  })
  .prefault({});
const pool = makePlugin('fifo-pool', { provides: [Pool], config: Section });

describe('config sources', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
    (globalThis as Record<string, unknown>)['itChainPool'] = pool;
    world.write('conf/pool.mjs', 'export default globalThis.itChainPool;');
  });
  afterEach(() => world.close());

  const file = 'conf/it-chain.config.yaml';
  const write = (text: string) => world.write(file, text);
  const load = (more: Partial<ConfigOptions> = {}) => loadConfig(world.options({ file, ...more }), clock);
  const section = async (more: Partial<ConfigOptions> = {}) =>
    (await load(more)).plugins[0]?.config as Record<string, unknown>;

  const env = { IT_CHAIN_TXPOOL__MAX_PENDING: '30', IT_CHAIN_TXPOOL__LIMITS__IDLE_MS: '31' };
  const flags = [{ flag: '--max-pending', path: 'txpool.maxPending', value: 40 }];

  it('a flag goes before the environment, before the file, before the default', async () => {
    write('plugins: [{ use: ./pool.mjs }]');
    expect((await section())['maxPending']).to.equal(1);
    write('plugins: [{ use: ./pool.mjs, with: { maxPending: 20, limits: { idleMs: 21 } } }]');
    expect((await section())['maxPending']).to.equal(20);
    expect(await section({ env })).to.deep.include({ maxPending: 30, limits: { idleMs: 31 } });
    expect(await section({ env, flags })).to.deep.include({ maxPending: 40, limits: { idleMs: 31 } });
  });

  it('says of every value where it comes from, and masks secrets', async () => {
    write(
      'node: { name: alice }\nbus: { url: "amqp://guest:hunter2@broker/vhost" }\nplugins: [{ use: ./pool.mjs, with: { apiKey: hunter2, label: x } }]\n',
    );
    const loaded = await load({ env, flags });
    const from = Object.fromEntries(
      configSources(loaded).map(({ path, kind, from: origin }) => [path, `${kind} ${origin}`]),
    );
    expect(from).to.deep.include({
      'node.name': `file ${world.folder}/${file}`,
      'node.dataDir': 'default default',
      'plugins[0].with.maxPending': 'flag --max-pending',
      'plugins[0].with.limits.idleMs': 'environment IT_CHAIN_TXPOOL__LIMITS__IDLE_MS',
      'plugins[0].with.label': `file ${world.folder}/${file}`,
      'timeouts.startMs': 'default default',
    });
    const shown = JSON.stringify([shownConfig(loaded), configSources(loaded)]);
    expect(shown).to.not.contain('hunter2');
    expect(shown).to.contain('amqp://guest:***@broker/vhost').and.contain('"role":"txpool"');
  });

  it('a variable is read by the type of its key: text stays text, lists take commas, words take any case', async () => {
    write('plugins: [{ use: ./pool.mjs }]');
    const values = await section({
      env: {
        IT_CHAIN_TXPOOL__LABEL: '007',
        IT_CHAIN_TXPOOL__DIAL: '10.0.0.1:7000, 10.0.0.2:7000',
        IT_CHAIN_FIFO_POOL__MAXPENDING: '5',
        OTHER: 'ignored',
      },
    });
    expect(values).to.deep.include({ label: '007', dial: ['10.0.0.1:7000', '10.0.0.2:7000'], maxPending: 5 });
    expect((await section({ env: { IT_CHAIN_TXPOOL__DIAL: '["[::1]:7000"]' } }))['dial']).to.deep.equal(['[::1]:7000']);
  });

  for (const [name, hint] of Object.entries({
    IT_CHAIN_TXPOOL__MAX_PENDNG: 'did you mean IT_CHAIN_TXPOOL__MAX_PENDING?',
    IT_CHAIN_TXPOL__MAX_PENDING: 'did you mean IT_CHAIN_TXPOOL__MAX_PENDING?',
    IT_CHAIN_NODE_NAME: 'did you mean IT_CHAIN_NODE__NAME?',
    IT_CHAIN_NODE__DATADIRR: 'did you mean IT_CHAIN_NODE__DATA_DIR?',
    IT_CHAIN_TXPOOL__LIMITS__IDLEMSS: 'did you mean IT_CHAIN_TXPOOL__LIMITS__IDLE_MS?',
  })) {
    it(`the variable ${name}, which means nothing, is an error: ${hint}`, async () => {
      write('plugins: [{ use: ./pool.mjs }]');
      const problems = await world.problems({ file, env: { [name]: 'x' } });
      expect(problems.map(({ source, hint: said }) => [source, said])).to.deep.equal([[name, hint]]);
    });
  }

  it('a variable of the command itself is none of the config', async () => {
    write('plugins: [{ use: ./pool.mjs }]');
    expect(await world.problems({ file, env: { IT_CHAIN_API: 'x' }, otherVariables: ['IT_CHAIN_API'] })).to.deep.equal(
      [],
    );
  });

  it('two variables for one key, and a value that is no YAML, are errors', async () => {
    write('plugins: [{ use: ./pool.mjs }]');
    const twice = await world.problems({ file, env: { IT_CHAIN_NODE__DATA_DIR: 'a', IT_CHAIN_NODE__DATADIR: 'b' } });
    expect(twice[0]?.message).to.match(/is set by IT_CHAIN_NODE__DATA.* too/);
    for (const value of ['{ a', '*alias', '[1']) {
      const problems = await world.problems({ file, env: { IT_CHAIN_TXPOOL__MAX_PENDING: value } });
      expect(problems[0]?.source, value).to.equal('IT_CHAIN_TXPOOL__MAX_PENDING');
    }
  });

  it('a broker from above takes the place of the listener below, and the other way round', async () => {
    write('bus: { listen: "127.0.0.1:5000" }\nplugins: [{ use: ./pool.mjs }]');
    expect((await load({ env: { IT_CHAIN_BUS__URL: 'amqp://broker' } })).config.bus).to.deep.equal({
      url: 'amqp://broker',
    });
    const back = [{ flag: '--bus', path: 'bus.listen', value: '127.0.0.1:1' }];
    expect((await load({ env: { IT_CHAIN_BUS__URL: 'amqp://broker' }, flags: back })).config.bus).to.deep.equal({
      listen: '127.0.0.1:1',
    });
  });

  it('a bus in memory takes the place of any below it, and any takes its place', async () => {
    write('bus: { listen: "127.0.0.1:5000" }\nplugins: [{ use: ./pool.mjs }]');
    expect((await load({ env: { IT_CHAIN_BUS__MEMORY: 'true' } })).config.bus).to.deep.equal({ memory: true });
    expect((await load({ env: { IT_CHAIN_BUS__MEMORY: 'false' } })).config.bus).to.deep.equal({
      listen: '127.0.0.1:5000',
    });
    write('bus: { memory: true }\nplugins: [{ use: ./pool.mjs }]');
    expect((await load({ env: { IT_CHAIN_BUS__URL: 'amqp://broker' } })).config.bus).to.deep.equal({
      url: 'amqp://broker',
    });
    expect((await load({ env: { IT_CHAIN_BUS__MEMORY: 'false' } })).config.bus).to.deep.equal({
      listen: '127.0.0.1:0',
    });
  });

  it('paths of the file are relative to the file, those of a flag to the current folder', async () => {
    write('node: { dataDir: ./d }\nplugins: [{ use: ./pool.mjs, with: { certFile: tls/cert.pem } }]');
    const loaded = await load();
    expect(loaded.config.node.dataDir).to.equal(`${world.folder}/conf/d`);
    expect((await section())['certFile']).to.equal(`${world.folder}/conf/tls/cert.pem`);
    const flag = [{ flag: '--data-dir', path: 'node.dataDir', value: './d' }];
    expect((await load({ flags: flag })).config.node.dataDir).to.equal(`${world.folder}/d`);
  });

  it('a flag for a section that is not there is an error', async () => {
    write('plugins: [{ use: ./pool.mjs }]');
    const problems = await world.problems({ file, flags: [{ flag: '--dial', path: 'p2p.dial', value: [] }] });
    expect(problems[0]).to.include({ source: '--dial', path: 'p2p.dial' });
  });

  it('one JSON Schema says it all, with the sections of the plugins', async () => {
    write('plugins: [{ use: ./pool.mjs }]');
    const schema = (await configSchema(world.options({ file }), clock)) as unknown as {
      properties: Record<
        string,
        {
          properties?: Record<string, { default?: unknown; description?: string }>;
          items?: { allOf: { if: unknown; then: { properties: { with: { properties: object } } } }[] };
        }
      >;
      additionalProperties: boolean;
      required?: string[];
    };
    expect(schema.additionalProperties).to.equal(false);
    expect(schema.required ?? []).to.not.include('node');
    expect(Object.keys(schema.properties)).to.include.members(['node', 'bus', 'plugins', 'log', 'timeouts']);
    expect(schema.properties['timeouts']?.properties?.['startMs']).to.deep.include({ default: 30_000 });
    const [entry] = schema.properties['plugins']?.items?.allOf ?? [];
    expect(entry?.if).to.deep.equal({ properties: { use: { const: './pool.mjs' } }, required: ['use'] });
    expect(Object.keys(entry?.then.properties.with.properties ?? {})).to.include.members(['maxPending', 'limits']);
    for (const part of ['node', 'bus', 'timeouts', 'log']) {
      for (const [key, { description }] of Object.entries(schema.properties[part]?.properties ?? {})) {
        expect(description, `${part}.${key}`).to.be.a('string').and.not.equal('');
      }
    }
  });
});
