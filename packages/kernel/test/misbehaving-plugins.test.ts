import { expect } from 'chai';
import type { PluginContext } from '@it-chain/contracts';
import { exitCodeOf, MemoryBus } from '@it-chain/kernel';
import { World } from './support/world.js';

/** A role as a plain module writes it: no import, so that another copy of contracts, or none, may have made it. */
const ROLE = "{ name: 'alpha', major: 1, doc: '', promises: [], calls: {}, events: {} }";
const HEAD = "name: 'bad', version: '1.0.0', api: 1";

interface Misdeed {
  readonly title: string;
  /** The module; `%` stands for the head of a good manifest. */
  readonly module: string;
  readonly code: string;
  readonly says: RegExp;
  /** True where it is found before anything is written. */
  readonly early?: boolean;
}

const misdeeds: readonly Misdeed[] = [
  {
    title: 'throws at import',
    module: 'throw new Error("boom");',
    code: 'ERR_PLUGIN_IMPORT',
    says: /bad\.mjs.*boom/,
    early: true,
  },
  { title: 'throws no error at import', module: 'throw 7;', code: 'ERR_PLUGIN_IMPORT', says: /7/, early: true },
  { title: 'has a syntax error', module: 'export default {', code: 'ERR_PLUGIN_IMPORT', says: /bad\.mjs/, early: true },
  {
    title: 'imports what is not there',
    module: 'import "no-such-package-here"; export default {};',
    code: 'ERR_PLUGIN_IMPORT',
    says: /no-such-package-here/,
    early: true,
  },
  {
    title: 'never finishes its import',
    module: 'await new Promise(() => setInterval(() => {}, 1000).unref()); export default {};',
    code: 'ERR_PLUGIN_IMPORT',
    says: /did not finish within 300 ms/,
    early: true,
  },
  {
    title: 'has no default export',
    module: 'export const plugin = 1;',
    code: 'ERR_PLUGIN_INVALID',
    says: /missing, not a plugin/,
    early: true,
  },
  {
    title: 'exports a function',
    module: 'export default () => 1;',
    code: 'ERR_PLUGIN_INVALID',
    says: /function/,
    early: true,
  },
  { title: 'exports null', module: 'export default null;', code: 'ERR_PLUGIN_INVALID', says: /null/, early: true },
  { title: 'exports a list', module: 'export default [];', code: 'ERR_PLUGIN_INVALID', says: /list/, early: true },
  {
    title: 'has no name',
    module: 'export default { version: "1.0.0", api: 1, name: "", setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /name/,
    early: true,
  },
  {
    title: 'has a path for a name',
    module: 'export default { version: "1.0.0", api: 1, name: "../../etc", setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /name/,
    early: true,
  },
  {
    title: 'has no version',
    module: 'export default { name: "bad", api: 1, setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /version/,
    early: true,
  },
  {
    title: 'has no setup',
    module: 'export default { %, setup: 5 };',
    code: 'ERR_PLUGIN_INVALID',
    says: /setup/,
    early: true,
  },
  {
    title: 'provides no list',
    module: 'export default { %, provides: "storage", setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /provides/,
    early: true,
  },
  {
    title: 'provides no roles',
    module: 'export default { %, provides: ["storage"], setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /provides\[0\]/,
    early: true,
  },
  {
    title: 'provides one role twice',
    module: `const a = ${ROLE}; export default { %, provides: [a, a], setup() {} };`,
    code: 'ERR_PLUGIN_INVALID',
    says: /alpha\.v1 twice/,
    early: true,
  },
  {
    title: 'has no zod schema',
    module: 'export default { %, config: { type: "object" }, setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /zod/,
    early: true,
  },
  {
    title: 'has a schema that throws',
    module:
      'export default { %, config: { safeParse() {}, safeParseAsync() { throw new Error("odd"); } }, setup() {} };',
    code: 'ERR_PLUGIN_INVALID',
    says: /odd/,
    early: true,
  },
  {
    title: 'was built for a later API',
    module: 'export default { name: "bad", version: "1.0.0", api: 2, setup() {} };',
    code: 'ERR_PLUGIN_API_VERSION',
    says: /API 2.*speaks 1/,
    early: true,
  },
  {
    title: 'says no API',
    module: 'export default { name: "bad", version: "1.0.0", setup() {} };',
    code: 'ERR_PLUGIN_API_VERSION',
    says: /missing/,
    early: true,
  },
  {
    title: 'requires its own role',
    module: `const a = ${ROLE}; export default { %, provides: [a], requires: [a], setup() {} };`,
    code: 'ERR_PLUGIN_CYCLE',
    says: /bad \(alpha\) -> bad \(alpha\)/,
    early: true,
  },
  {
    title: 'requires a role that nobody plays',
    module: `const a = ${ROLE}; export default { %, requires: [a], setup() {} };`,
    code: 'ERR_PLUGIN_ROLE_MISSING',
    says: /alpha\.v1/,
    early: true,
  },
  {
    title: 'plays the role of the kernel',
    module: `const a = { ...${ROLE}, name: 'identity' }; export default { %, provides: [a], setup() {} };`,
    code: 'ERR_PLUGIN_ROLE_TAKEN',
    says: /kernel/,
    early: true,
  },
  {
    title: 'throws in setup',
    module: 'export default { %, setup() { throw new Error("boom"); } };',
    code: 'ERR_PLUGIN_FAILED',
    says: /bad failed in setup: boom/,
  },
  {
    title: 'throws no error in setup',
    module: 'export default { %, setup() { throw null; } };',
    code: 'ERR_PLUGIN_FAILED',
    says: /setup: null/,
  },
  {
    title: 'rejects in setup',
    module: 'export default { %, async setup() { throw new TypeError("boom"); } };',
    code: 'ERR_PLUGIN_FAILED',
    says: /setup: boom/,
  },
  {
    title: 'never finishes setup',
    module: 'export default { %, setup: () => new Promise(() => {}) };',
    code: 'ERR_PLUGIN_TIMEOUT',
    says: /bad did not finish setup within 200 ms/,
  },
  {
    title: 'gives a number from setup',
    module: 'export default { %, setup: () => 5 };',
    code: 'ERR_PLUGIN_SHAPE',
    says: /number/,
  },
  {
    title: 'gives null from setup',
    module: 'export default { %, setup: () => null };',
    code: 'ERR_PLUGIN_SHAPE',
    says: /object/,
  },
  {
    title: 'gives a misspelt hook',
    module: 'export default { %, setup: () => ({ strat() {} }) };',
    code: 'ERR_PLUGIN_SHAPE',
    says: /strat/,
  },
  {
    title: 'gives a hook that is no function',
    module: 'export default { %, setup: () => ({ start: 5 }) };',
    code: 'ERR_PLUGIN_SHAPE',
    says: /start/,
  },
  {
    title: 'serves what it does not provide',
    module: `export default { %, setup(c) { c.serve(${ROLE}, {}); } };`,
    code: 'ERR_PLUGIN_ROLE_UNDECLARED',
    says: /bad.*alpha\.v1/,
  },
  {
    title: 'uses what it does not declare',
    module: `export default { %, setup(c) { c.use(${ROLE}); } };`,
    code: 'ERR_PLUGIN_ROLE_UNDECLARED',
    says: /bad.*alpha\.v1/,
  },
  {
    title: 'serves twice',
    module: `const a = ${ROLE}; export default { %, provides: [a], setup(c) { c.serve(a, {}); c.serve(a, {}); } };`,
    code: 'ERR_PLUGIN_SERVED_TWICE',
    says: /alpha\.v1/,
  },
  {
    title: 'does not serve what it provides',
    module: `const a = ${ROLE}; export default { %, provides: [a], setup() {} };`,
    code: 'ERR_PLUGIN_NOT_SERVED',
    says: /alpha\.v1/,
  },
  {
    title: 'serves with a call missing',
    module: `const a = { ...${ROLE}, calls: { say: { kind: 'query', name: 'alpha.say' } } }; export default { %, provides: [a], setup(c) { c.serve(a, {}); } };`,
    code: 'ERR_PLUGIN_NOT_SERVED',
    says: /say/,
  },
  {
    title: 'throws in start',
    module: 'export default { %, setup: () => ({ start() { throw new Error("boom"); } }) };',
    code: 'ERR_PLUGIN_FAILED',
    says: /bad failed in start: boom/,
  },
  {
    title: 'rejects in start',
    module: 'export default { %, setup: () => ({ start: () => Promise.reject(new Error("boom")) }) };',
    code: 'ERR_PLUGIN_FAILED',
    says: /start: boom/,
  },
  {
    title: 'rejects with nothing in start',
    module: 'export default { %, setup: () => ({ start: () => Promise.reject() }) };',
    code: 'ERR_PLUGIN_FAILED',
    says: /start: undefined/,
  },
  {
    title: 'never finishes start',
    module: 'export default { %, setup: () => ({ start: () => new Promise(() => {}) }) };',
    code: 'ERR_PLUGIN_TIMEOUT',
    says: /bad did not finish start within 200 ms/,
  },
  {
    title: 'ends the node in start',
    module:
      'export default { %, setup: (c) => ({ start: () => { c.fatal("failed", new Error("enough")); return new Promise(() => {}); } }) };',
    code: 'ERR_PLUGIN_FAILED',
    says: /bad ended the node: enough/,
  },
  {
    title: 'throws in accept',
    module: 'export default { %, setup(c) { c.onAccept(async () => { throw new Error("port in use"); }); } };',
    code: 'ERR_PLUGIN_FAILED',
    says: /bad failed in accept: port in use/,
  },
  {
    title: 'never finishes accept',
    module: 'export default { %, setup(c) { c.onAccept(() => new Promise(() => {})); } };',
    code: 'ERR_PLUGIN_TIMEOUT',
    says: /accept/,
  },
];

describe('misbehaving plugins (F7)', () => {
  let world: World;
  let stopped: string[];
  beforeEach(() => {
    world = new World();
    stopped = [];
    (globalThis as Record<string, unknown>)['itChainStopped'] = stopped;
  });
  afterEach(() => world.close());

  /** A good neighbour that starts first, so that there is something to stop. */
  const neighbour = `
    export default {
      name: 'aaa', version: '1.0.0', api: 1,
      setup: () => ({ start: () => { globalThis.itChainStopped.push('started'); }, stop: () => { globalThis.itChainStopped.push('stopped'); } }),
    };`;

  for (const { title, module, code, says, early = false } of misdeeds) {
    it(`one that ${title} is ${code}, named, and nothing is left running`, async () => {
      world.write('bad.mjs', module.replace('%', HEAD));
      world.write('good.mjs', neighbour);
      world.write(
        'it-chain.config.yaml',
        [
          'plugins: [{ use: ./good.mjs }, { use: ./bad.mjs }]',
          'timeouts: { importMs: 300, setupMs: 200, startMs: 200, stopMs: 1000 }',
        ].join('\n'),
      );
      const error = await world.refused();
      expect(error.code, error.message).to.equal(code);
      expect(error.message).to.match(says);
      expect(error.message).to.not.contain('    at ');
      if (code !== 'ERR_PLUGIN_FAILED' || !error.message.includes('ended')) expect(exitCodeOf(error)).to.equal(2);
      else expect(exitCodeOf(error)).to.equal(1);
      expect(world.has('data')).to.equal(!early);
      expect(stopped.filter((line) => line === 'started').length).to.equal(
        stopped.filter((line) => line === 'stopped').length,
      );
      if (early) {
        expect(error.message).to.contain(`${world.folder}/it-chain.config.yaml:1:`);
        expect(error.message).to.contain('plugins[1]');
      }
    });
  }

  it('one that throws, hangs or spins in stop keeps nobody else from stopping', async () => {
    const hang = (name: string, stop: string) =>
      world.write(
        `${name}.mjs`,
        `export default { name: '${name}', version: '1.0.0', api: 1, setup: () => ({ stop: ${stop} }) };`,
      );
    hang('b-throws', '() => { throw new Error("boom"); }');
    hang('c-hangs', '() => new Promise(() => {})');
    hang('d-rejects', '() => Promise.reject(new Error("late"))');
    world.write('good.mjs', neighbour);
    const use = ['good', 'b-throws', 'c-hangs', 'd-rejects'].map((name) => ({ use: `./${name}.mjs` }));
    const node = await world.start({ config: { plugins: use, timeouts: { stopMs: 400 } } });
    const errors = await node.stop();
    expect(stopped).to.deep.equal(['started', 'stopped']);
    expect(errors.map((error) => error.message)).to.have.length(3);
    expect(errors.map((error) => error.message).join('\n')).to.match(
      /d-rejects failed: late[^]*c-hangs did not finish[^]*b-throws failed: boom/,
    );
    expect(await node.stop()).to.equal(errors);
  });

  it('one that opens a door or the bus too late finds it closed again', async () => {
    const closed: string[] = [];
    const late = <T>(name: string, made: T): Promise<T> =>
      new Promise((resolve) => {
        const timer = setInterval(() => {
          if (!gone) return;
          clearInterval(timer);
          closed.push(`${name} opened`);
          resolve(made);
        }, 1);
      });
    let gone = false;
    const door = {
      name: 'door',
      version: '1.0.0',
      api: 1,
      setup: (context: PluginContext) => {
        context.onAccept(() => late('door', () => Promise.resolve(void closed.push('door closed'))));
      },
    };
    const bus = {
      name: 'bus',
      version: '1.0.0',
      api: 1,
      setup: (context: PluginContext) => {
        const made = new MemoryBus();
        const close = made.close.bind(made);
        made.close = () => close().then(() => void closed.push('bus closed'));
        context.provideBus(() => late('bus', made));
      },
    };
    const timeouts = { startMs: 50, stopMs: 500 };
    expect(await world.refused({ config: { plugins: [{ use: door }], timeouts } })).to.include({
      code: 'ERR_PLUGIN_TIMEOUT',
    });
    expect(await world.refused({ bus: undefined, config: { plugins: [{ use: bus }], timeouts } })).to.include({
      code: 'ERR_PLUGIN_TIMEOUT',
    });
    gone = true;
    while (closed.length < 4) await new Promise((resolve) => setImmediate(resolve));
    expect(closed).to.have.members(['door opened', 'door closed', 'bus opened', 'bus closed']);
  });

  it('one that tells its health with nonsense, or emits before the bus is open, does not end the node', async () => {
    world.write(
      'odd.mjs',
      `export default { name: 'odd', version: '1.0.0', api: 1, setup(c) {
        c.health({ state: 'degraded', reason: 'just starting' });
        c.emit({ kind: 'event', name: 'x.y', major: 1, body: { encode: () => new Uint8Array(), decode: () => ({}) } }, {});
      } };`,
    );
    const node = await world.start({ config: { plugins: [{ use: './odd.mjs' }] } });
    expect(node.inspect().plugins[0]?.health).to.deep.equal({ state: 'degraded', reason: 'just starting' });
  });
});
