import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  command,
  definePlugin,
  defineRole,
  event,
  failure,
  Identity,
  keyPairFromSeed,
  message,
  nodeIdOf,
  query,
  signBytes,
  signingBytes,
  string,
  transient,
  verifySignature,
  type Domain,
  type FatalKind,
  type Health,
  type Log,
  type LogFields,
  type Plugin,
  type PluginContext,
  type Role,
} from '@it-chain/contracts';
import {
  createPluginContext,
  MemoryBus,
  randomBytes,
  serveRole,
  SystemClock,
  type BoundPlugin,
  type PluginContextOptions,
} from '@it-chain/kernel';

const Text = message('Text', { text: string(1) });
const Echo = defineRole('echo', 1, {
  doc: 'Says things again.',
  promises: [],
  calls: {
    say: query({ name: 'echo.say', doc: 'Answers.', in: Text, out: Text }),
    fail: command({ name: 'echo.fail', doc: 'Fails.', in: Text, out: Text, timeoutMs: 1_234 }),
  },
  events: {
    said: event({ name: 'echo.said', doc: 'Said.', body: Text }),
    silenced: event({ name: 'echo.silenced', doc: 'Silenced.', body: Text }),
    hummed: transient({ name: 'echo.hummed', doc: 'Hummed.', body: Text, maxQueued: 5 }),
  },
});
const Other = defineRole('other', 1, { doc: 'Another.', promises: [], calls: {}, events: {} });

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

function recordingLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (text: string, fields?: LogFields) => {
    lines.push({ level, message: text, fields });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

const keys = keyPairFromSeed(new Uint8Array(32).fill(5));
const clock = new SystemClock();

describe('plugin context', () => {
  let bus: MemoryBus;
  let bound: BoundPlugin[] = [];
  let dataDir: string;
  const log = recordingLog();

  beforeEach(async () => {
    bus = new MemoryBus({ clock });
    log.lines.length = 0;
    dataDir = await mkdtemp(join(tmpdir(), 'context-'));
  });
  afterEach(async () => {
    await Promise.all(bound.map((one) => one.unbind()));
    bound = [];
    await bus.close(0);
    await rm(dataDir, { recursive: true });
  });

  function bind(
    manifest: { name?: string; provides?: readonly Role[]; requires?: readonly Role[]; uses?: readonly Role[] } = {},
    more: {
      role?: string;
      limits?: PluginContextOptions['limits'];
      onHealth?: (health: Health) => void;
      fatal?: (kind: FatalKind, error: Error) => void;
    } = {},
  ): BoundPlugin {
    const plugin: Plugin = definePlugin({ name: 'test', version: '1.0.0', setup: () => undefined, ...manifest });
    const made = createPluginContext({
      plugin,
      role: more.role,
      config: { size: 1 },
      log,
      clock,
      metrics: {
        counter: () => ({ add: () => undefined }),
        gauge: () => ({ set: () => undefined }),
        histogram: () => ({ observe: () => undefined }),
        text: () => Promise.resolve(''),
      },
      verify: (checks) =>
        Promise.resolve(checks.map((one) => verifySignature(one.publicKey, one.message, one.signature))),
      random: randomBytes,
      identity: { nodeId: nodeIdOf(keys.publicKey), publicKey: keys.publicKey, name: 'alice' },
      bus: () => bus,
      node: { dataDir, name: 'alice', solo: false, version: '1.0.0' },
      busConfig: { listen: '127.0.0.1:0' },
      limits: more.limits,
      pluginDataDir: join(dataDir, 'plugins', 'test'),
      inspect: () => ({ plugins: [], stages: [], startedAt: 0 }),
      fatal: more.fatal ?? (() => undefined),
      onHealth: more.onHealth ?? (() => undefined),
    });
    bound.push(made);
    return made;
  }

  const echo = {
    say: ({ text }: { text: string }) => Promise.resolve({ text: `echo ${text}` }),
    fail: ({ text }: { text: string }): Promise<{ text: string }> =>
      Promise.reject(text === 'known' ? failure('ERR_DATA_INVALID', 'named') : new Error('the detail')),
  };

  async function serveEcho(): Promise<BoundPlugin> {
    const server = bind({ name: 'server', provides: [Echo] });
    server.context.serve(Echo, echo);
    await server.bindRoles();
    return server;
  }

  function codeOf(run: () => unknown): string {
    try {
      run();
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }

  it('carries a call from a proxy to the object that serves the role, and back', async () => {
    await serveEcho();
    const proxy = bind({ uses: [Echo] }).context.use(Echo);
    expect(await proxy.say({ text: 'hello' })).to.deep.equal({ text: 'echo hello' });
  });

  it('hands the deadline, the id and the trace on to the handler', async () => {
    const calls: unknown[] = [];
    const server = bind({ name: 'server', provides: [Echo] });
    server.context.serve(Echo, {
      say: (request, call) => {
        calls.push(call);
        return Promise.resolve(request);
      },
      fail: (request, call) => {
        calls.push(call);
        return Promise.resolve(request);
      },
    });
    await server.bindRoles();
    const proxy = bind({ uses: [Echo] }).context.use(Echo);
    await proxy.say({ text: '' }, { timeoutMs: 777, messageId: 'id-1', traceparent: 'trace-1' });
    await proxy.fail({ text: '' });
    const [given, standard] = calls as { timeoutMs: number; messageId: string; traceparent?: string }[];
    expect(given).to.include({ messageId: 'id-1', traceparent: 'trace-1' });
    expect(given?.timeoutMs).to.be.within(1, 777);
    expect(standard?.timeoutMs).to.be.within(1, 1_234);
    expect(standard?.messageId).to.be.a('string').with.length.greaterThan(8);
  });

  it('fails at once where no time is left, and with ERR_DATA_INVALID for a request that does not fit', async () => {
    await serveEcho();
    const proxy = bind({ uses: [Echo] }).context.use(Echo);
    const codes = await Promise.all(
      [proxy.say({ text: 'x' }, { timeoutMs: 0 }), proxy.say({} as never)].map((call) =>
        call.then(
          () => 'none',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
    expect(codes).to.deep.equal(['ERR_BUS_TIMEOUT', 'ERR_DATA_INVALID']);
  });

  it('lets a named error through, and keeps the detail of any other in the log of the callee', async () => {
    await serveEcho();
    const proxy = bind({ uses: [Echo] }).context.use(Echo);
    const errors = await Promise.all(
      ['known', 'unknown'].map((text) =>
        proxy.fail({ text }).catch((error: unknown) => error as Error & { code: string }),
      ),
    );
    expect(errors.map((error) => (error as { code?: string }).code)).to.deep.equal([
      'ERR_DATA_INVALID',
      'ERR_INTERNAL',
    ]);
    expect((errors[1] as Error).message).to.not.contain('the detail');
    const told = log.lines.filter(({ level }) => level === 'error');
    expect(told).to.have.length(1);
    expect(told[0]?.fields).to.include({ call: 'echo.fail.v1', reason: 'the detail' });
    expect(told[0]?.fields, 'no stack at the default level').to.not.have.property('stack');
  });

  it('answers bytes that are no request with ERR_DATA_MALFORMED', async () => {
    await serveEcho();
    const answer = bus.request('echo.v1', 'echo.say.v1', Uint8Array.of(0xff, 0xff), { timeoutMs: 1_000 });
    const code = await answer.then(
      () => 'none',
      (error: unknown) => (error as { code: string }).code,
    );
    expect(code).to.equal('ERR_DATA_MALFORMED');
  });

  it('is reachable only when its roles are bound, and no more when it is unbound', async () => {
    const server = bind({ name: 'server', provides: [Echo] });
    server.context.serve(Echo, echo);
    const proxy = bind({ uses: [Echo] }).context.use(Echo);
    const call = (): Promise<string> =>
      proxy.say({ text: '' }).then(
        () => 'none',
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await call()).to.equal('ERR_BUS_NO_PROVIDER');
    await server.bindRoles();
    expect(await call()).to.equal('none');
    await server.unbind();
    await server.unbind();
    expect(await call()).to.equal('ERR_BUS_NO_PROVIDER');
  });

  it('starts the handlers of events in their order, across kinds, without waiting for one that hangs', async () => {
    const listener = bind({ name: 'listener', uses: [Echo] });
    const got: string[] = [];
    listener.context.on(Echo.events.said, ({ text }) => {
      got.push(`said ${text}`);
      return new Promise(() => undefined);
    });
    listener.context.onAny([Echo.events.silenced], (name, body) => {
      got.push(`${name} ${(body as { text: string }).text}`);
    });
    await listener.bindListeners();
    const { context } = bind({ provides: [Echo] });
    for (let index = 0; index < 3; index += 1) {
      await context.emit(Echo.events.said, { text: String(index) });
      await context.emit(Echo.events.silenced, { text: String(index) });
    }
    await until(() => got.length === 6);
    expect(got).to.deep.equal([0, 1, 2].flatMap((index) => [`said ${index}`, `echo.silenced ${index}`]));
  });

  it('delivers a durable event again until its handler succeeds', async () => {
    const listener = bind({ name: 'listener', uses: [Echo] });
    const got: boolean[] = [];
    listener.context.on(
      Echo.events.said,
      (_body, { redelivered }) => {
        got.push(redelivered);
        if (got.length < 3) throw new Error('not yet');
      },
      { durable: true },
    );
    await listener.bindListeners();
    await bind({ provides: [Echo] }).context.emit(Echo.events.said, { text: 'x' });
    await until(() => got.length === 3);
    expect(got).to.deep.equal([false, true, true]);
  });

  it('tells transient messages, bounded', async () => {
    const listener = bind({ name: 'listener', uses: [Echo] });
    const got: string[] = [];
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    listener.context.on(Echo.events.hummed, async ({ text }) => {
      got.push(text);
      await gate;
    });
    await listener.bindListeners();
    const { context } = bind({ provides: [Echo] });
    for (let index = 0; index < 20; index += 1) await context.emit(Echo.events.hummed, { text: String(index) });
    await until(() => bus.stats().dropped === 14);
    open();
    await until(() => got.length === 6);
    expect(got).to.deep.equal(['0', '15', '16', '17', '18', '19']);
  });

  it('never throws from emit: the failure is logged', async () => {
    const { context } = bind({ provides: [Echo] });
    await context.emit(Echo.events.said, {} as never);
    await bus.close();
    await context.emit(Echo.events.said, { text: 'x' });
    expect(log.lines.filter(({ level }) => level === 'warn')).to.have.length(2);
  });

  it('logs a handler that fails or cannot read an event, and goes on', async () => {
    const listener = bind({ name: 'listener', uses: [Echo] });
    const got: string[] = [];
    listener.context.on(Echo.events.said, ({ text }) => {
      if (text === 'bad') throw new Error('on the spot');
      got.push(text);
    });
    await listener.bindListeners();
    await bus.publish('echo.said.v1', Uint8Array.of(0xff));
    await bind({ provides: [Echo] }).context.emit(Echo.events.said, { text: 'bad' });
    await bind({ provides: [Echo] }).context.emit(Echo.events.said, { text: 'good' });
    await until(() => got.length === 1);
    expect(log.lines.filter(({ level }) => level === 'warn')).to.have.length(2);
  });

  it('refuses what the manifest does not name, or what comes twice', async () => {
    const one = bind({ provides: [Echo], uses: [Other] });
    one.context.serve(Echo, echo);
    expect(codeOf(() => one.context.serve(Echo, echo))).to.equal('ERR_PLUGIN_SERVED_TWICE');
    expect(codeOf(() => one.context.serve(Other, {}))).to.equal('ERR_PLUGIN_ROLE_UNDECLARED');
    expect(codeOf(() => one.context.use(Echo))).to.equal('ERR_PLUGIN_ROLE_UNDECLARED');
    expect(codeOf(() => one.context.use(Other))).to.equal('none');
    expect(codeOf(() => bind({ provides: [Echo] }).context.serve(Echo, { say: echo.say } as never))).to.equal(
      'ERR_PLUGIN_NOT_SERVED',
    );
    one.context.provideBus(() => Promise.resolve(bus));
    expect(codeOf(() => one.context.provideBus(() => Promise.resolve(bus)))).to.equal('ERR_PLUGIN_TWO_BUSES');
    expect(await one.openBus?.()).to.equal(bus);
    const durable = (): void => one.context.on(Echo.events.hummed, () => undefined, { durable: true });
    expect(codeOf(durable)).to.equal('ERR_PLUGIN_ROLE_UNDECLARED');
    await one.bindListeners();
    expect(codeOf(() => one.context.on(Echo.events.said, () => undefined))).to.equal('ERR_PLUGIN_ROLE_UNDECLARED');
  });

  it('hears and tells the events of the roles that the manifest names, as its broker user may', async () => {
    const stranger = bind({ name: 'stranger', uses: [Other] });
    expect(codeOf(() => stranger.context.on(Echo.events.said, () => undefined))).to.equal('ERR_PLUGIN_ROLE_UNDECLARED');
    expect(codeOf(() => stranger.context.onAny([Echo.events.hummed], () => undefined))).to.equal(
      'ERR_PLUGIN_ROLE_UNDECLARED',
    );
    const heard: unknown[] = [];
    const listener = bind({ name: 'listener', uses: [Echo] });
    listener.context.on(Echo.events.said, (body) => void heard.push(body));
    await listener.bindListeners();
    // Hints are never worth an exception: the log says it.
    await stranger.context.emit(Echo.events.said, { text: 'forged' });
    await bind({ uses: [Echo] }).context.emit(Echo.events.said, { text: 'forged' });
    await bind({ provides: [Echo] }).context.emit(Echo.events.said, { text: 'true' });
    await until(() => heard.length > 0);
    expect(heard).to.deep.equal([{ text: 'true' }]);
    const warned = log.lines.filter(({ message }) => message === 'an event could not be told');
    expect(warned).to.have.length(2);
    expect(String(warned[0]?.fields?.['reason'])).to.match(/echo\.said\.v1 is of no role that the plugin provides/);
  });

  it('names who answered with what is no answer, a plugin here or a program elsewhere', async () => {
    const proxy = bind({ uses: [Echo] }).context.use(Echo);
    const server = bind({ name: 'server', provides: [Echo] });
    const wrong = [{ text: 7 }, {}, undefined, 'text'];
    server.context.serve(Echo, { ...echo, say: () => Promise.resolve(wrong.pop()) } as never);
    await server.bindRoles();
    for (let count = 0; count < 4; count += 1) {
      const error = await proxy.say({ text: 'x' }).catch((reason: unknown) => reason);
      expect(error).to.have.property('code', 'ERR_PLUGIN_SHAPE');
      expect((error as Error).message).to.match(/the provider of echo\.v1 answered echo\.say\.v1 with what is no/);
    }
    expect(log.lines.filter(({ level }) => level === 'error')).to.have.length(4);
    await server.unbind();
    await bus.serve('echo.v1', ['echo.say.v1'], () => Promise.resolve(new Uint8Array([0xff])));
    const elsewhere = await proxy.say({ text: 'x' }).catch((reason: unknown) => reason);
    expect(elsewhere).to.have.property('code', 'ERR_PLUGIN_SHAPE');
  });

  it('keeps a plugin that floods to its share of events and calls, and leaves the rest to the others', async () => {
    const flooding = bind({ name: 'flooding', provides: [Echo] }, { limits: { eventsPerSecond: 1, openCalls: 2 } });
    const heard: string[] = [];
    const listener = bind({ name: 'listener', uses: [Echo] });
    listener.context.on(Echo.events.said, ({ text }) => void heard.push(text));
    await listener.bindListeners();
    for (let count = 0; count < 200; count += 1) await flooding.context.emit(Echo.events.said, { text: 'flood' });
    await bind({ provides: [Echo] }).context.emit(Echo.events.said, { text: 'other' });
    await until(() => heard.includes('other'));
    expect(heard.length).to.be.within(2, 199);
    expect(log.lines.filter(({ message }) => message.startsWith('events are dropped')).length).to.be.within(1, 100);

    const free: (() => void)[] = [];
    await bus.serve('echo.v1', ['echo.say.v1'], async ({ body }) => {
      await new Promise<void>((resolve) => free.push(resolve));
      return body;
    });
    const caller = bind({ name: 'caller', uses: [Echo] }, { limits: { eventsPerSecond: 1, openCalls: 2 } });
    const proxy = caller.context.use(Echo);
    const codes = [1, 2, 3].map(() =>
      proxy.say({ text: 'x' }).then(
        () => 'answered',
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    expect(await codes[2]).to.equal('ERR_BUS_FULL');
    const other = bind({ name: 'other', uses: [Echo] })
      .context.use(Echo)
      .say({ text: 'y' });
    await until(() => free.length === 3);
    for (const go of free) go();
    expect(await Promise.all([...codes.slice(0, 2), other])).to.deep.equal(['answered', 'answered', { text: 'y' }]);
  });

  it('binds only the role that the config means', async () => {
    const one = bind({ provides: [Echo, Other] }, { role: 'other' });
    one.context.serve(Echo, echo);
    one.context.serve(Other, {});
    expect(one.served.map(({ name }) => name)).to.deep.equal(['other']);
    await one.bindRoles();
    await bus.waitForRole('other.v1', 1_000);
    const code = await bus.waitForRole('echo.v1', 1).catch((error: unknown) => (error as { code: string }).code);
    expect(code).to.equal('ERR_BUS_NO_PROVIDER');
  });

  it('signs through the role identity, wherever that is', async () => {
    const network = new Uint8Array(32);
    await serveRole(
      bus,
      Identity,
      {
        sign: ({ domain, content }: { domain: string; content: Uint8Array }) =>
          Promise.resolve({ signature: signBytes(signingBytes(domain as Domain, network, content), keys.secretKey) }),
        signVote: () => Promise.reject(new Error('not asked')),
        get: () => Promise.reject(new Error('not asked')),
      },
      log,
    );
    const { context } = bind();
    const content = Uint8Array.of(1, 2);
    const signature = await context.sign('record', network, content);
    expect(
      await context.verify([
        { publicKey: keys.publicKey, message: signingBytes('record', network, content), signature },
      ]),
    ).to.deep.equal([true]);
  });

  it('makes the data directory when it is first asked for, and for the owner only', async () => {
    const { context } = bind();
    expect(context.dataDir()).to.equal(join(dataDir, 'plugins', 'test'));
    expect((await stat(context.dataDir())).mode & 0o777).to.equal(0o700);
  });

  it('fills a container with what is in the context', () => {
    const { context } = bind();
    const container = new Map<symbol, unknown>();
    context.fill({ register: (token, { useValue }) => container.set(token, useValue) });
    expect(container.get(Symbol.for('it-chain:config'))).to.equal(context.config);
    expect(container.get(Symbol.for('it-chain:clock'))).to.equal(clock);
    const emit = container.get(Symbol.for('it-chain:emit')) as PluginContext['emit'];
    expect(emit).to.be.a('function');
  });

  it('passes health, accept, inspection and the fatal end on', () => {
    const told: unknown[] = [];
    const one = bind({}, { onHealth: (health) => told.push(health), fatal: (kind) => told.push(kind) });
    one.context.health({ state: 'degraded', reason: 'slow' });
    one.context.fatal('io', new Error('disk'));
    one.context.onAccept(() => Promise.resolve());
    expect(told).to.deep.equal([{ state: 'degraded', reason: 'slow' }, 'io']);
    expect(one.accepts).to.have.length(1);
    expect(one.context.inspect().plugins).to.deep.equal([]);
  });
});
