import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { z } from '@it-chain/contracts';
import { exitCodeOf, loadConfig, type Problem } from '@it-chain/kernel';
import { clock, makePlugin, problemAt, World } from './support/world.js';

const Sample = z.strictObject({
  name: z.string().max(16),
  maxPending: z.int().min(1).max(100_000).default(50_000),
  ratio: z.number().min(0).max(1).default(0.5),
  enabled: z.boolean().default(true),
  mode: z.enum(['open', 'allowlist', 'vote']).default('open'),
  dial: z.array(z.string().max(64)).max(3).default([]),
  apiToken: z.string().min(8).optional(),
  tls: z
    .strictObject({
      certFile: z.string().meta({ format: 'path' }).optional(),
      limits: z.strictObject({ idleMs: z.int().min(1).default(5) }).prefault({}),
    })
    .prefault({}),
  either: z.union([z.int(), z.strictObject({ perSender: z.int() })]).optional(),
});
const sample = makePlugin('sample', { config: Sample });
/** A schema that would drop unknown keys without a word. */
const lenient = makePlugin('lenient', {
  config: z.object({ inner: z.object({ size: z.int().default(1) }).prefault({}) }).prefault({}),
});

interface Key {
  readonly path: readonly (string | number)[];
  /** The kinds of values that it takes. */
  readonly takes: readonly string[];
  /** Values of the right kind that are out of range. */
  readonly outside: readonly unknown[];
  readonly required?: boolean;
}

const inSample = (...keys: string[]) => ['plugins', 0, 'with', ...keys];
const KEYS: readonly Key[] = [
  { path: ['node', 'name'], takes: ['text'], outside: ['', '../up', 'x'.repeat(65)] },
  { path: ['node', 'dataDir'], takes: ['text'], outside: ['', 'x'.repeat(5_000)] },
  { path: ['node', 'id'], takes: ['text'], outside: ['0OIl', 'x'] },
  { path: ['bus', 'listen'], takes: ['text'], outside: ['nonsense', ':7000', 'host:999999'] },
  { path: ['bus', 'url'], takes: ['text'], outside: ['http://broker', 'amqp:/x', ''] },
  { path: ['bus', 'memory'], takes: ['boolean'], outside: [] },
  { path: ['log', 'level'], takes: ['text'], outside: ['loud', 'INFO'] },
  { path: ['log', 'levels', 'sample'], takes: ['text'], outside: ['loud'] },
  { path: ['log', 'pretty'], takes: ['boolean'], outside: [] },
  { path: ['timeouts', 'startMs'], takes: ['number'], outside: [0, -1, 1e9, 1.5, Number.MAX_VALUE] },
  { path: ['timeouts', 'stopMs'], takes: ['number'], outside: [0, 2 ** 53] },
  { path: inSample('name'), takes: ['text'], outside: ['x'.repeat(17), 'x'.repeat(100_000)], required: true },
  { path: inSample('maxPending'), takes: ['number'], outside: [0, -5, 100_001, 1.5, 1e308, 2 ** 60] },
  { path: inSample('ratio'), takes: ['number'], outside: [-0.1, 1.1] },
  { path: inSample('enabled'), takes: ['boolean'], outside: [] },
  { path: inSample('mode'), takes: ['text'], outside: ['opne', ''] },
  { path: inSample('dial'), takes: ['list'], outside: [['a', 'b', 'c', 'd']] },
  { path: inSample('apiToken'), takes: ['text'], outside: ['short'] },
  { path: inSample('tls'), takes: ['table'], outside: [] },
  { path: inSample('tls', 'limits', 'idleMs'), takes: ['number'], outside: [0] },
  { path: inSample('tls', 'certFile'), takes: ['text'], outside: [] },
];
const KINDS: Readonly<Record<string, unknown>> = {
  text: 'hello world',
  number: 12_345,
  boolean: true,
  list: [[]],
  table: {},
  null: null,
};

function base(): Record<string, unknown> {
  return { node: { name: 'alice' }, plugins: [{ use: './sample.mjs', with: { name: 'x' } }] };
}

function withValue(path: readonly (string | number)[], value: unknown): Record<string, unknown> {
  const config = base();
  let current: Record<string | number, unknown> = config;
  for (const part of path.slice(0, -1)) current = (current[part] ??= {}) as Record<string | number, unknown>;
  const last = path.at(-1) as string;
  if (value === undefined) Reflect.deleteProperty(current, last);
  else current[last] = value;
  return config;
}

const printed = (path: readonly (string | number)[]) =>
  path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');

describe('config values (F6)', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
    // The sample is handed over as an object of this process, under the path that the config names.
    (globalThis as Record<string, unknown>)['itChainSample'] = { sample, lenient };
    world.write('sample.mjs', 'export default globalThis.itChainSample.sample;');
    world.write('lenient.mjs', 'export default globalThis.itChainSample.lenient;');
  });
  afterEach(() => world.close());

  async function problemsOf(config: unknown, env: Record<string, string> = {}): Promise<readonly Problem[]> {
    world.write('it-chain.config.yaml', stringify(config));
    return world.problems({ env });
  }

  it('finds nothing wrong with what is right', async () => {
    expect(await problemsOf(base())).to.deep.equal([]);
  });

  for (const key of KEYS) {
    const path = printed(key.path);

    it(`${path}: every wrong type is named with file, line, path, expected and got`, async () => {
      for (const [kind, value] of Object.entries(KINDS)) {
        if (key.takes.includes(kind)) continue;
        const problem = problemAt(await problemsOf(withValue(key.path, value)), path);
        expect(problem.code).to.equal('ERR_CONFIG_INVALID');
        expect(problem.source).to.equal(`${world.folder}/it-chain.config.yaml`);
        expect(problem.line, `${path} ${kind}`).to.be.greaterThan(0);
        expect(problem.expected, `${path} ${kind}`).to.be.a('string').and.not.equal('');
        expect(problem.got).to.be.a('string').and.not.equal('');
      }
    });

    if (key.outside.length > 0) {
      it(`${path}: every value out of range is named`, async () => {
        for (const value of key.outside) {
          const problem = problemAt(await problemsOf(withValue(key.path, value)), path);
          expect(problem.expected ?? problem.message).to.not.equal('');
          expect((problem.got ?? '').length).to.be.lessThan(120);
        }
      });
    }

    it(`${path}: a misspelt neighbour is an error with the right name`, async () => {
      const last = String(key.path.at(-1));
      if (last === 'sample') return;
      const wrong = last.length < 3 ? `${last}x` : `${last.slice(0, 1)}${last.slice(2)}${last.slice(1, 2)}`;
      const at = [...key.path.slice(0, -1), wrong];
      const problem = problemAt(await problemsOf(withValue(at, 1)), printed(at));
      expect(problem.message).to.equal('unknown key');
      if (last.length > 3) expect(problem.hint).to.equal(`did you mean ${last}?`);
      else expect(problem.hint).to.be.a('string');
    });

    it(`${path}: a wrong value from the environment names the variable`, async () => {
      if (!key.takes.includes('number') && !key.takes.includes('boolean')) return;
      const words = key.path[0] === 'plugins' ? ['sample', ...key.path.slice(3)] : key.path;
      const snake = words.map((word) =>
        String(word)
          .replace(/([a-z])([A-Z])/g, '$1_$2')
          .toUpperCase(),
      );
      const name = `IT_CHAIN_${snake.join('__')}`;
      const problem = problemAt(await problemsOf(base(), { [name]: 'seven' }), path);
      expect(problem.source).to.equal(name);
    });
  }

  it('text for a number is told to lose its quotes only where it is a number', async () => {
    const at = inSample('either', 'perSender');
    expect(problemAt(await problemsOf(withValue(at, '7')), printed(at)).hint).to.equal('take the quotes away');
    expect(problemAt(await problemsOf(withValue(at, 'seven')), printed(at)).hint).to.equal(undefined);
  });

  it('a required key that is missing is named', async () => {
    const problem = problemAt(await problemsOf(withValue(inSample('name'), undefined)), 'plugins[0].with.name');
    expect(problem.message).to.equal('is missing');
    const bare = problemAt(await problemsOf({ plugins: [{ use: './sample.mjs' }] }), 'plugins[0].with.name');
    expect(bare.message).to.equal('is missing');
  });

  it('tells all problems at once, of the file, of the plugins and of the environment', async () => {
    const config = {
      nod: {},
      node: { name: 5 },
      plugins: [{ use: './sample.mjs', with: { name: 'x', maxPendng: 1, ratio: 2 } }, { use: './gone.mjs' }],
    };
    const problems = await problemsOf(config, { IT_CHAIN_NODE__NAEM: 'x' });
    const paths = problems.map((problem) => problem.path || problem.source);
    expect(paths).to.have.members([
      'IT_CHAIN_NODE__NAEM',
      'nod',
      'node.name',
      'plugins[1].use',
      'plugins[0].with.maxPendng',
      'plugins[0].with.ratio',
    ]);
    const error = await world.refused({ env: { IT_CHAIN_NODE__NAEM: 'x' } });
    expect(error.code).to.equal('ERR_CONFIG_INVALID');
    expect(error.problems).to.have.length(6);
    expect(exitCodeOf(error)).to.equal(2);
    expect(world.has('data')).to.equal(false);
  });

  it('unknown keys are found at any depth, also where the schema would drop them', async () => {
    const config = { plugins: [{ use: './lenient.mjs', with: { inner: { sise: 2 }, iner: {} } }] };
    const problems = await problemsOf(config);
    expect(problemAt(problems, 'plugins[0].with.inner.sise').hint).to.equal('did you mean size?');
    expect(problemAt(problems, 'plugins[0].with.iner').hint).to.equal('did you mean inner?');
  });

  it('of a union, the variant that was meant is told', async () => {
    const problems = await problemsOf(withValue(inSample('either', 'perSender'), 'many'));
    expect(problemAt(problems, 'plugins[0].with.either.perSender').expected).to.equal('a number');
    const both = problemAt(await problemsOf(withValue(inSample('either'), 'many')), 'plugins[0].with.either');
    expect(both.expected).to.match(/ or /);
  });

  it('settings for a plugin that takes none are refused', async () => {
    world.write('bare.mjs', 'export default { name: "bare", version: "1.0.0", api: 1, setup() {} };');
    const problems = await problemsOf({ plugins: [{ use: './bare.mjs', with: { a: 1 } }] });
    expect(problemAt(problems, 'plugins[0].with.a').message).to.equal('unknown key');
  });

  it('listen and url of one file exclude each other', async () => {
    const problems = await problemsOf({ ...base(), bus: { listen: '127.0.0.1:0', url: 'amqp://broker' } });
    expect(problemAt(problems, 'bus').message).to.contain('exclude each other');
    for (const other of [{ listen: '127.0.0.1:0' }, { url: 'amqp://broker' }]) {
      const both = await problemsOf({ ...base(), bus: { memory: true, ...other } });
      expect(problemAt(both, 'bus').message).to.contain('memory excludes');
    }
  });

  it('a level for a plugin that is not there is refused', async () => {
    const problems = await problemsOf({ ...base(), log: { levels: { sampel: 'debug' } } });
    expect(problemAt(problems, 'log.levels.sampel').hint).to.equal('did you mean sample?');
  });

  it('never prints a secret, wherever it is wrong', async () => {
    const secret = 'hunter2';
    const problems = await problemsOf({
      plugins: [{ use: './sample.mjs', with: { name: 'x', apiToken: secret } }],
      bus: { url: `amqps://user:${secret}@host/a b` },
    });
    expect(problems).to.have.length(2);
    expect(JSON.stringify(problems)).to.not.contain(secret);
    expect(JSON.stringify(problems)).to.contain('***');
  });

  it('any JSON at all in place of the config is a list of problems or a config, never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (value) => {
        const options = world.options({ config: value ?? {}, defaults: { plugins: [{ use: makePlugin('plain') }] } });
        const outcome = await loadConfig(options, clock).then(
          () => 'ok',
          (error: unknown) => (error as { code?: string }).code ?? 'crash',
        );
        expect(outcome).to.match(/^(ok|ERR_CONFIG_|ERR_PLUGIN_)/);
      }),
      { numRuns: 200 },
    );
  });

  it('keys named like the parts of an object change nothing outside', async () => {
    world.write(
      'it-chain.config.json',
      '{ "__proto__": { "polluted": 1 }, "constructor": { "prototype": { "polluted": 1 } } }',
    );
    const problems = await world.problems();
    expect(problems.length).to.be.greaterThan(0);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });
});
