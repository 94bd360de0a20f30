import { expect } from 'chai';
import { roleAddress, Application, Chain, Storage } from '@it-chain/contracts';
import { inspectPlugins, loadConfig, MemoryBus } from '@it-chain/kernel';
import { clock, makePlugin, makeRole, problemAt, World } from './support/world.js';

const AUDIT = {
  name: 'audit',
  version: '1.0.0',
  api: 1,
  provides: { 'audit.v1': ['audit.find.v1'] },
  calls: { 'chain.v1': ['block.range.v1'] },
  listens: ['block.committed.v1', 'message.received.v1'],
  tells: ['audit.done.v1'],
};

describe('plugins in other processes', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());
  const write = (manifest: unknown, name = 'audit.json'): string => world.write(name, JSON.stringify(manifest));
  const config = (...uses: unknown[]) => ({ config: { plugins: uses.map((use) => ({ use })) } });

  it('are refused together with a bus in memory, which they could never reach', async () => {
    write(AUDIT);
    const problems = await world.problems({ config: { plugins: [{ use: './audit.json' }], bus: { memory: true } } });
    expect(problems.map(({ code, path }) => [code, path])).to.deep.equal([['ERR_CONFIG_BUS_IN_MEMORY', 'bus.memory']]);
    expect(problems[0]?.message).to.include('audit');
  });

  it('are known by their manifest: what they serve, call, hear and tell', async () => {
    write(AUDIT);
    const loaded = await loadConfig(world.options(config('./audit.json')), clock);
    expect(loaded.plugins).to.deep.equal([]);
    expect(loaded.remote.map(({ role, use }) => [role, use])).to.deep.equal([['audit', './audit.json']]);
    expect(loaded.foreign).to.deep.equal([
      {
        name: 'audit',
        serves: [{ role: 'audit.v1', calls: ['audit.find.v1'] }],
        calls: [{ role: 'chain.v1', calls: ['block.range.v1'] }],
        listens: { events: ['block.committed.v1'], transients: ['message.received.v1'] },
        tells: { events: ['audit.done.v1'], transients: [] },
      },
    ]);
  });

  it('of the framework may write "*" for all calls of a role, and tell its events unsaid', async () => {
    write({ ...AUDIT, provides: { 'chain.v1': '*' }, calls: {}, listens: [], tells: [] });
    const { foreign } = await loadConfig(world.options(config('./audit.json')), clock);
    expect(foreign[0]?.serves).to.deep.equal([
      { role: roleAddress(Chain), calls: Object.values(Chain.calls).map(({ name }) => `${name}.v1`) },
    ]);
    expect(foreign[0]?.tells.events).to.deep.equal(['block.proposed.v1', 'block.committed.v1']);
  });

  const faults: readonly (readonly [string, object, RegExp])[] = [
    ['has an unknown field', { ...AUDIT, grants: [] }, /grants/],
    ['has a path for a name', { ...AUDIT, name: '../etc' }, /name/],
    ['has a pattern for a name', { ...AUDIT, name: 'a.*' }, /name/],
    ['provides a role without a version', { ...AUDIT, provides: { audit: ['audit.find.v1'] } }, /provides/],
    [
      'wants all calls of a role that nobody knows',
      { ...AUDIT, provides: { 'audit.v1': '*' } },
      /audit\.v1 is no role/,
    ],
    ['calls what a role does not have', { ...AUDIT, calls: { 'chain.v1': ['block.rage.v1'] } }, /block\.rage\.v1/],
    [
      'takes a call of the framework under a role of its own',
      { ...AUDIT, provides: { 'audit.v1': ['storage.write.v1'] } },
      /storage\.write\.v1 is no call of audit\.v1/,
    ],
    [
      'answers in the name of another role that it is there',
      { ...AUDIT, provides: { 'audit.v1': ['probe.storage.v1'] } },
      /probe\.storage\.v1 is no call of audit\.v1/,
    ],
    [
      'provides half a role',
      { ...AUDIT, provides: { 'application.v1': ['application.info.v1'] } },
      /lacks its call application\.check\.v1/,
    ],
    [
      'tells the event of a role that it does not provide',
      { ...AUDIT, tells: ['block.committed.v1'] },
      /does not provide/,
    ],
    ['listens by a pattern', { ...AUDIT, listens: ['#'] }, /listens/],
    ['is a list', [], /manifest is not valid/],
  ];
  for (const [title, manifest, says] of faults) {
    it(`one whose manifest ${title} is refused, named, before anything is written`, async () => {
      write(manifest);
      const error = await world.refused(config('./audit.json'));
      expect(error.code).to.equal('ERR_PLUGIN_INVALID');
      expect(error.message).to.match(says).and.contain('audit.json');
      expect(world.has('data')).to.equal(false);
    });
  }

  it('one that is no JSON, or none at all, is refused by its path', async () => {
    world.write('audit.json', '{ "name": ');
    expect(await world.refused(config('./audit.json'))).to.have.property('code', 'ERR_PLUGIN_INVALID');
    expect(await world.refused(config('./none.json'))).to.have.property('code', 'ERR_PLUGIN_NOT_FOUND');
  });

  it('one that was built for another API version is refused with both versions', async () => {
    write({ ...AUDIT, api: 2 });
    const error = await world.refused(config('./audit.json'));
    expect(error.code).to.equal('ERR_PLUGIN_API_VERSION');
    expect(error.message).to.match(/audit\.json.*plugin API 2; this node speaks 1/);
  });

  it('one that asks for a role or a name that is taken is refused like any other', async () => {
    write({ ...AUDIT, provides: { 'application.v1': '*' } });
    const application = makePlugin('kv', { provides: [Application] });
    const taken = await world.problems(config('./audit.json', application));
    expect(taken.map(({ code }) => code)).to.deep.equal(['ERR_PLUGIN_ROLE_TAKEN']);
    write({ ...AUDIT, provides: { 'identity.v1': '*' } });
    const kernel = await world.problems(config('./audit.json'));
    expect(kernel.map(({ code, message }) => `${code} ${message}`)[0]).to.match(/ERR_PLUGIN_ROLE_TAKEN.*the kernel/);
    write(AUDIT);
    const twice = await world.problems(config('./audit.json', makePlugin('audit')));
    expect(twice.map(({ code }) => code)).to.deep.equal(['ERR_PLUGIN_DUPLICATE']);
  });

  it('gets no settings from the config of the node', async () => {
    write(AUDIT);
    const problems = await world.problems({ config: { plugins: [{ use: './audit.json', with: { index: 'x' } }] } });
    expect(problemAt(problems, 'plugins[0].with').message).to.match(/process of its own/);
  });

  it('is waited for by who requires its role, and seen as remote', async () => {
    write({ ...AUDIT, provides: { 'alpha.v1': ['alpha.say.v1'] } });
    const alpha = makeRole('alpha');
    const bus = new MemoryBus();
    const starting = world.start({ bus, ...config('./audit.json', makePlugin('needy', { requires: [alpha] })) });
    await bus.serve('alpha.v1', ['alpha.say.v1'], ({ body }) => Promise.resolve(body));
    const node = await starting;
    expect(world.lines.join('')).to.contain('needy waits for the role alpha.v1');
    expect(node.inspect().plugins.find(({ name }) => name === 'audit')).to.include({ role: 'alpha', state: 'remote' });
  });

  it('is known to the process with the bus, also where --only names other roles', async () => {
    write({ ...AUDIT, provides: { 'application.v1': '*' } });
    const entries = {
      plugins: [{ use: './audit.json', role: 'application' }, { use: makePlugin('store', { provides: [Storage] }) }],
    };
    const loaded = await loadConfig(world.options({ config: entries, only: ['storage'] }), clock);
    expect(loaded.foreign.map(({ name }) => name)).to.deep.equal(['audit']);
  });

  it('has the permissions that the doctor and the command are asked about', async () => {
    write(AUDIT);
    const { plugins } = await inspectPlugins(world.options(config('./audit.json')), clock);
    expect(plugins[0]).to.include({ name: 'audit', role: 'audit', version: '1.0.0' });
    expect(plugins[0]?.needs?.calls).to.deep.equal([{ role: 'chain.v1', calls: ['block.range.v1'] }]);
  });
});
