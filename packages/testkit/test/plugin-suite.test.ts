import { expect } from 'chai';
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Chain,
  Storage,
  TxPool,
  bytes,
  defineRole,
  definePlugin,
  message,
  query,
  z,
  type Plugin,
  type PluginContext,
  type Running,
} from '@it-chain/contracts';
import { PLUGIN_PROMISES, testPlugin, type PluginUnderTest } from '@it-chain/testkit';
import { failuresOf } from './failures-of.js';

const Echo = defineRole('echo', 1, {
  doc: 'Says things again.',
  promises: [],
  calls: {
    say: query({
      name: 'echo.say',
      doc: 'Answers.',
      in: message('EchoIn', { body: bytes(1) }),
      out: message('EchoOut', { body: bytes(1) }),
    }),
  },
  events: {},
});
const Config = z.strictObject({ prefix: z.string().max(10).default('') }).prefault({});
type Context = PluginContext<z.output<typeof Config>>;

/** A right plugin, of which each wrong one changes one thing. */
const right = (
  change: {
    readonly config?: z.ZodType;
    readonly setup?: (context: Context) => Running | void;
    readonly version?: string;
  } = {},
): Plugin =>
  definePlugin({
    name: 'echo',
    version: change.version ?? '1.0.0',
    provides: [Echo],
    requires: [Storage],
    config: (change.config ?? Config) as typeof Config,
    setup:
      change.setup ??
      ((context) => {
        context.serve(Echo, { say: (request) => Promise.resolve(request) });
        return live(context);
      }),
  }) as unknown as Plugin;

/** Uses what it requires, keeps a timer and a file. */
function live(context: Context): Running {
  const storage = context.use(Storage);
  let cancel = (): void => undefined;
  return {
    start: async () => {
      writeFileSync(join(context.dataDir(), 'here'), context.config.prefix);
      await storage.read({ namespace: 'app', keys: [] });
      cancel = context.clock.every(1_000, () => undefined);
    },
    stop: () => {
      cancel();
    },
  };
}
const serving = (context: Context): void => {
  context.serve(Echo, { say: (request) => Promise.resolve(request) });
};

const WRONG: readonly (readonly [string, () => Plugin, keyof typeof PLUGIN_PROMISES])[] = [
  ['has no semantic version', () => right({ version: 'newest' }), 'G1'],
  ['takes any setting', () => right({ config: z.looseObject({}).prefault({}) }), 'G2'],
  [
    'starts a timer in setup',
    () =>
      right({
        setup: (context) => {
          serving(context);
          const cancel = context.clock.every(1_000, () => undefined);
          return { stop: cancel };
        },
      }),
    'G3',
  ],
  [
    'calls another role in setup',
    () =>
      right({
        setup: (context) => {
          serving(context);
          void context
            .use(Storage)
            .read({ namespace: 'app', keys: [] })
            .catch(() => undefined);
        },
      }),
    'G3',
  ],
  [
    'reads the public key in setup, which a process without the key does not know yet',
    () =>
      right({
        setup: (context) => {
          serving(context);
          context.log.info('here', { bytes: context.identity.publicKey.length });
        },
      }),
    'G3',
  ],
  ['serves nothing', () => right({ setup: (context) => live(context) }), 'G4'],
  [
    'asks for a role that it does not name, and hides that it was refused',
    () =>
      right({
        setup: (context) => {
          serving(context);
          return {
            start: () => {
              try {
                context.use(Chain);
              } catch {
                // As a careless author would.
              }
            },
          };
        },
      }),
    'G5',
  ],
  [
    'cannot start on what it left',
    () =>
      right({
        setup: (context) => {
          serving(context);
          return {
            start: () => {
              writeFileSync(join(context.dataDir(), 'lock'), '', { flag: 'wx' });
            },
          };
        },
      }),
    'G6',
  ],
  [
    'cannot stop when its start failed',
    () =>
      right({
        setup: (context) => {
          serving(context);
          let opened: { close(): void } | undefined;
          return {
            start: async () => {
              await context.use(Storage).read({ namespace: 'app', keys: [] });
              opened = { close: () => undefined };
            },
            stop: () => {
              if (opened === undefined) throw new TypeError('nothing was opened');
              opened.close();
            },
          };
        },
      }),
    'G7',
  ],
  [
    'leaves a timer',
    () =>
      right({
        setup: (context) => {
          serving(context);
          // Runs out by itself behind the suite, so that the run of the tests can end.
          return { start: () => void context.clock.after(3_000, () => undefined) };
        },
      }),
    'G8',
  ],
  [
    'leaves a server open',
    () =>
      right({
        setup: (context) => {
          serving(context);
          return {
            start: () =>
              new Promise((resolve) => {
                const server = createServer().listen(0, '127.0.0.1', resolve);
                // Goes away by itself behind the suite, so that the run of the tests can end.
                setTimeout(() => server.close(), 3_000).unref();
              }),
          };
        },
      }),
    'G8',
  ],
  [
    'fails without a code on what it does not understand',
    () =>
      right({
        setup: (context) => {
          context.serve(Echo, {
            say: ({ body }) => {
              if (body.length === 0) throw new TypeError('cannot read properties of undefined');
              return Promise.resolve({ body });
            },
          });
        },
      }),
    'G9',
  ],
];

const over =
  (plugin: Plugin, options: PluginUnderTest = {}) =>
  () => {
    testPlugin(plugin, options);
  };

describe('a right plugin', over(right(), { config: { prefix: 'a' } }));

describe('the suite for any plugin', () => {
  const factor = process.env['TEST_TIME_FACTOR'];
  before(() => {
    // How long a leak is waited for; nothing else in these plugins takes time.
    process.env['TEST_TIME_FACTOR'] = '0.2';
  });
  after(() => {
    if (factor === undefined) delete process.env['TEST_TIME_FACTOR'];
    else process.env['TEST_TIME_FACTOR'] = factor;
  });

  for (const [what, make, promise] of WRONG) {
    it(`finds a plugin that ${what}`, async () => {
      const { failed, ran } = await failuresOf(over(make()));
      expect(
        failed.some((title) => title.startsWith(`${promise}:`)),
        failed.join('; '),
      ).to.equal(true);
      expect(ran).to.equal(Object.keys(PLUGIN_PROMISES).length);
    });
  }

  it('leaves out what it is told to', async () => {
    const { ran, failed } = await failuresOf(over(right(), { without: { G8: 'not here' } }));
    expect([ran, failed]).to.deep.equal([Object.keys(PLUGIN_PROMISES).length - 1, []]);
  });

  it('asks for the double of a role that the framework does not know', async () => {
    const needy = definePlugin({
      name: 'needy',
      version: '1.0.0',
      requires: [Echo],
      uses: [TxPool],
      setup: () => undefined,
    });
    expect((await failuresOf(over(needy as unknown as Plugin))).failed.length).to.be.greaterThan(0);
    const echo = { say: (request: unknown) => Promise.resolve(request) };
    expect((await failuresOf(over(needy as unknown as Plugin, { roles: { echo } }))).failed).to.deep.equal([]);
  });
});
