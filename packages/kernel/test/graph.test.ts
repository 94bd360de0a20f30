import { expect } from 'chai';
import fc from 'fast-check';
import { definePlugin, type Plugin, type Role } from '@it-chain/contracts';
import { loadConfig, MemoryBus } from '@it-chain/kernel';
import { clock, makePlugin, makeRole, World } from './support/world.js';

describe('plugin graph', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.close());

  const order = async (plugins: readonly Plugin[], more = {}) =>
    (
      await loadConfig(world.options({ config: { plugins: plugins.map((use) => ({ use })) }, ...more }), clock)
    ).plugins.map(({ plugin }) => plugin.name);

  /** A random graph without cycles: plugin i may require only those below it. */
  const acyclic = fc.integer({ min: 1, max: 12 }).chain((count) =>
    fc.record({
      edges: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 40 }),
      shuffle: fc.shuffledSubarray([...Array(count).keys()], { minLength: count, maxLength: count }),
      names: fc.shuffledSubarray(Array.from('abcdefghijklmnopqrstuvwxyz'), { minLength: count, maxLength: count }),
    }),
  );

  function build(names: readonly string[], edges: readonly (readonly [number, number])[]): Plugin[] {
    const roles = names.map((name) => makeRole(`role-${name}`));
    return names.map((name, index) => {
      const below = [...new Set(edges.filter(([from]) => from === index).map(([, to]) => to))];
      return makePlugin(name, { provides: [roles[index] as Role], requires: below.map((to) => roles[to] as Role) });
    });
  }

  it('orders each plugin after what it requires, whatever the order of the config', async () => {
    await fc.assert(
      fc.asyncProperty(acyclic, async ({ edges, shuffle, names }) => {
        const down = edges.map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const).filter(([a, b]) => a !== b);
        const plugins = build(names, down);
        const result = await order(plugins);
        expect(result).to.have.members(names as string[]);
        for (const [from, to] of down)
          expect(result.indexOf(names[to] ?? '')).to.be.lessThan(result.indexOf(names[from] ?? ''));
        expect(await order(shuffle.flatMap((index) => plugins[index] ?? []))).to.deep.equal(result);
      }),
      { numRuns: 60 },
    );
  });

  it('names a cycle by its members, all of them and nobody else', async () => {
    await fc.assert(
      fc.asyncProperty(acyclic, fc.integer({ min: 2, max: 5 }), async ({ edges, names }, size) => {
        const length = Math.min(size, names.length);
        fc.pre(length >= 2);
        const down = edges.map(([a, b]) => [Math.max(a, b), Math.min(a, b)] as const).filter(([a]) => a >= length);
        const ring = [...Array(length).keys()].map((index) => [index, (index + 1) % length] as const);
        const problems = await world.problems({
          config: { plugins: build(names, [...down.filter(([a, b]) => a !== b), ...ring]).map((use) => ({ use })) },
        });
        const cycle = problems.find(({ code }) => code === 'ERR_PLUGIN_CYCLE');
        const members = [...(cycle?.message ?? '').matchAll(/(\w+) \(role-/g)].map(([, name]) => name);
        expect(new Set(members)).to.deep.equal(new Set(names.slice(0, length)));
        expect(members[0]).to.equal(members.at(-1));
      }),
      { numRuns: 60 },
    );
  });

  it('lets plugins that only use each other know each other', async () => {
    const [a, b] = [makeRole('alpha'), makeRole('beta')];
    const plugins = [makePlugin('a', { provides: [a], uses: [b] }), makePlugin('b', { provides: [b], uses: [a] })];
    expect(await order(plugins)).to.deep.equal(['a', 'b']);
  });

  it('refuses two plugins for one role, and takes two majors of one role', async () => {
    const two = await world.problems({
      config: {
        plugins: [
          { use: makePlugin('a', { provides: [makeRole('alpha')] }) },
          { use: makePlugin('b', { provides: [makeRole('alpha')] }) },
        ],
      },
    });
    expect(two.map(({ code, path }) => [code, path])).to.deep.equal([['ERR_PLUGIN_ROLE_TAKEN', 'plugins[1]']]);
    expect(two[0]?.message).to.contain('the plugin a at plugins[0]');
    expect(
      await order([
        makePlugin('a', { provides: [makeRole('alpha')] }),
        makePlugin('b', { provides: [makeRole('alpha', 2)] }),
      ]),
    ).to.deep.equal(['a', 'b']);
  });

  it('asks which role a plugin of several plays, and checks the answer', async () => {
    const [alpha, beta] = [makeRole('alpha'), makeRole('beta')];
    const both = makePlugin('both', { provides: [alpha, beta] });
    const problem = async (role?: string) =>
      (await world.problems({ config: { plugins: [{ use: both, ...(role === undefined ? {} : { role }) }] } }))[0];
    expect(await problem()).to.deep.include({ code: 'ERR_PLUGIN_ROLE_AMBIGUOUS', path: 'plugins[0]' });
    expect(await problem('bета')).to.include({ path: 'plugins[0].role' });
    expect(await problem('bta')).to.include({
      code: 'ERR_PLUGIN_ROLE_UNKNOWN',
      path: 'plugins[0].role',
      hint: 'did you mean beta?',
    });
    expect(await problem('beta')).to.equal(undefined);
    const bus = new MemoryBus();
    const node = await world.start({ bus, config: { plugins: [{ use: both, role: 'beta' }] } });
    expect(node.inspect().plugins[0]?.role).to.equal('beta');
    expect(await bus.waitForRole('beta.v1', 10).then(() => true)).to.equal(true);
    expect(
      await bus.waitForRole('alpha.v1', 10).then(
        () => true,
        () => false,
      ),
    ).to.equal(false);
  });

  it('starts the plugin that brings the bus before others that are as free', async () => {
    const started: string[] = [];
    const noting = (name: string, bus: boolean) =>
      definePlugin({
        ...makePlugin(name),
        setup: (context) => {
          if (bus) context.provideBus(() => Promise.resolve(new MemoryBus()));
          return { start: () => void started.push(name) };
        },
      });
    const node = await world.start({
      bus: undefined,
      config: { plugins: [{ use: noting('a', false) }, { use: noting('z', true) }] },
    });
    expect(started).to.deep.equal(['z', 'a']);
    await node.stop();
  });

  it('refuses two buses', async () => {
    const bringing = (name: string) =>
      definePlugin({
        ...makePlugin(name),
        setup: (context) => context.provideBus(() => Promise.resolve(new MemoryBus())),
      });
    const error = await world.refused({ config: { plugins: [{ use: bringing('a') }, { use: bringing('b') }] } });
    expect(error).to.include({ code: 'ERR_PLUGIN_TWO_BUSES' });
    expect(error.message).to.contain('a and b');
  });

  it('warns of a role that is used and nobody provides', async () => {
    const node = await world.start({ config: { plugins: [{ use: makePlugin('a', { uses: [makeRole('alpha')] }) }] } });
    expect(world.lines.join('')).to.contain('a uses the role alpha.v1, which nobody provides');
    await node.stop();
  });

  describe('--only', () => {
    const alpha = makeRole('alpha');
    const beta = makeRole('beta');
    const a = () => makePlugin('a', { provides: [alpha] });
    const b = () => makePlugin('b', { provides: [beta], requires: [alpha] });

    it('runs the named roles and waits for the others over the shared bus', async () => {
      const first = new MemoryBus();
      const second = new MemoryBus({ broker: first.broker });
      const holder = await world.start({
        bus: first,
        only: ['alpha', 'identity'],
        config: { plugins: [{ use: a() }, { use: b() }] },
      });
      expect(holder.inspect().plugins.map(({ name, state }) => [name, state])).to.deep.equal([
        ['a', 'ready'],
        ['b', 'remote'],
      ]);
      const part = await world.start({
        bus: second,
        only: ['beta'],
        config: { node: { id: holder.nodeId }, plugins: [{ use: a() }, { use: b() }] },
      });
      expect(part.identity.publicKey).to.deep.equal(holder.identity.publicKey);
      expect(world.lines.join('')).to.contain(
        'b waits for the role alpha.v1, which another process of this node serves',
      );
      await part.stop();
    });

    it('gives up on a role that never comes, with its name', async () => {
      const error = await world.refused({
        only: ['beta', 'identity'],
        config: { plugins: [{ use: a() }, { use: b() }], timeouts: { remoteRoleMs: 50 } },
      });
      expect(error).to.include({ code: 'ERR_BUS_NO_PROVIDER' });
      expect(error.message).to.contain('alpha.v1');
    });

    it('refuses a role that nobody plays, and asks for the id of a process without the key', async () => {
      const config = { plugins: [{ use: a() }, { use: b() }] };
      expect((await world.problems({ config, only: ['alhpa'] })).map(({ code, hint }) => [code, hint])).to.deep.equal([
        ['ERR_PLUGIN_ROLE_UNKNOWN', 'did you mean alpha?'],
      ]);
      const error = await world.refused({ only: ['alpha'], config });
      expect(error.message).to.contain('node.id');
      expect(world.has('data')).to.equal(false);
    });

    it('refuses a bus in memory: no other process could reach it', async () => {
      const config = { bus: { memory: true }, plugins: [{ use: a() }, { use: b() }] };
      const problems = await world.problems({ config, only: ['alpha', 'identity'] });
      expect(problems.map(({ code, source, path }) => [code, source, path])).to.deep.equal([
        ['ERR_CONFIG_BUS_IN_MEMORY', '--only', 'bus.memory'],
      ]);
      const error = await world.refused({ bus: undefined, only: ['alpha', 'identity'], config });
      expect(error).to.include({ code: 'ERR_CONFIG_BUS_IN_MEMORY' });
      expect(world.has('data')).to.equal(false);
    });

    it('does not import a plugin whose entry says that its role runs elsewhere', async () => {
      const config = { plugins: [{ use: './not-installed.mjs', role: 'alpha' }, { use: b() }] };
      expect(await world.problems({ config, only: ['beta', 'identity'] })).to.deep.equal([]);
    });
  });
});
