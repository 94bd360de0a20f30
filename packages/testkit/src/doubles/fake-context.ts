import {
  type AnyNotice,
  type BusConfig,
  type FatalKind,
  type Health,
  type KeyPair,
  type Log,
  type Metrics,
  type NodeIdentity,
  type NodeInspection,
  type NoticeDefinition,
  type NoticeMeta,
  type Plugin,
  type PluginContext,
  type Role,
  type Served,
  type SignatureCheck,
  noFailpoint,
  type Failpoint,
  keyPairFromSeed,
  nodeIdOf,
  sha256,
  signBytes,
  signingBytes,
  utf8,
  verifySignature,
  type Bus,
  type Domain,
} from '@it-chain/contracts';
import { ManualClock } from './manual-clock.js';
import { RecordingLog } from './recording-log.js';

type Handler = (name: string, body: unknown, meta: NoticeMeta) => void | Promise<void>;

/** How a {@link FakeContext} is made; everything has a default. */
export interface FakeContextOptions<Config> {
  readonly config: Config;
  readonly clock?: ManualClock;
  /** Any text: gives the node its key. Default `node`. */
  readonly seed?: string;
  readonly solo?: boolean;
  readonly dataDir?: string;
  readonly busConfig?: BusConfig;
  /** What `use` finds, by role name. More can be added with {@link FakeContext.provide}. */
  readonly roles?: Readonly<Record<string, object>>;
}

/** A plugin that was set up: the test starts and stops it, where a node would. */
export interface StartedByHand {
  /** Calls `start` of the plugin, where it has one. */
  start(): Promise<void>;
  /** Calls `stop` of the plugin, where it has one. */
  stop(): Promise<void>;
}

/** A plugin context without a kernel: roles are plain objects, events go straight to their listeners. */
export class FakeContext<Config = unknown> implements PluginContext<Config> {
  readonly config: Config;
  readonly clock: ManualClock;
  readonly log: Log & RecordingLog = new RecordingLog();
  readonly metrics: Metrics = silentMetrics;
  readonly failpoint: Failpoint = noFailpoint;
  readonly identity: NodeIdentity;
  readonly keys: KeyPair;
  readonly node: PluginContext['node'];
  readonly busConfig: BusConfig;
  /** What the plugin serves, by role name. */
  readonly served = new Map<string, object>();
  /** Events the plugin told, in order. */
  readonly emitted: { readonly name: string; readonly body: unknown }[] = [];
  readonly fatals: { readonly kind: FatalKind; readonly error: Error }[] = [];
  /** What the plugin wants called once all plugins have started. */
  readonly accepts: (() => Promise<(() => Promise<void>) | void>)[] = [];
  /** The bus that the plugin provides, if it does. */
  openBus: (() => Promise<Bus>) | undefined;
  lastHealth: Health = { state: 'ok' };
  readonly #roles: Map<string, object>;
  readonly #handlers = new Map<string, Handler[]>();
  #random = 0;
  readonly #seed: string;

  constructor(options: FakeContextOptions<Config>) {
    this.config = options.config;
    this.clock = options.clock ?? new ManualClock();
    this.#seed = options.seed ?? 'node';
    this.keys = keyPairFromSeed(sha256(utf8(this.#seed)));
    this.identity = { nodeId: nodeIdOf(this.keys.publicKey), publicKey: this.keys.publicKey, name: this.#seed };
    this.node = { dataDir: options.dataDir ?? '', name: this.#seed, solo: options.solo ?? false, version: '0.0.0' };
    this.busConfig = options.busConfig ?? { listen: '127.0.0.1:0' };
    this.#roles = new Map(Object.entries(options.roles ?? {}));
  }

  /** Adds a role that `use` finds. */
  provide<R extends Role>(role: R, provider: Served<R>): void {
    this.#roles.set(role.name, provider);
  }

  /** Tells the plugin an event and waits for its handlers. */
  async tell<B>(notice: NoticeDefinition<B>, body: B): Promise<void> {
    for (const handler of this.#handlers.get(notice.name) ?? []) {
      await handler(notice.name, body, { messageId: `test-${this.emitted.length}`, redelivered: false });
    }
  }

  /** The bodies of the events of one kind that the plugin told. */
  told<B>(notice: NoticeDefinition<B>): B[] {
    return this.emitted.filter(({ name }) => name === notice.name).map(({ body }) => body as B);
  }

  dataDir(): string {
    return this.node.dataDir;
  }
  serve<R extends Role>(role: R, provider: Served<R>): void {
    this.served.set(role.name, provider);
  }
  /** The object the plugin serves for a role, as its users would call it. */
  servedRole<R extends Role>(role: R): Served<R> {
    const found = this.served.get(role.name);
    if (found === undefined) throw new Error(`nothing serves ${role.name}`);
    return found as Served<R>;
  }
  /** Resolved when called, so a role may be provided after `setup`. */
  use<R extends Role>(role: R): Served<R> {
    const call = (method: string) => async (request: unknown, options: unknown) => {
      const provider = this.#roles.get(role.name) as
        Record<string, (a: unknown, b: unknown) => Promise<unknown>> | undefined;
      const found = provider?.[method];
      if (found === undefined) throw new Error(`no double answers ${role.name}.${method}`);
      return found.call(provider, request, options);
    };
    return Object.fromEntries(Object.keys(role.calls).map((method) => [method, call(method)])) as Served<R>;
  }
  on<B>(notice: NoticeDefinition<B>, handler: (body: B, meta: NoticeMeta) => void | Promise<void>): void {
    this.#listen(notice.name, (_name, body, meta) => handler(body as B, meta));
  }
  onAny(notices: readonly AnyNotice[], handler: Handler): void {
    for (const notice of notices) this.#listen(notice.name, handler);
  }
  async emit<B>(notice: NoticeDefinition<B>, body: B): Promise<void> {
    // Encoding finds wrong bodies as the real bus would.
    notice.body.encode(body);
    this.emitted.push({ name: notice.name, body });
    await this.tell(notice, body);
  }
  provideBus(open: () => Promise<Bus>): void {
    this.openBus = open;
  }
  onAccept(open: () => Promise<(() => Promise<void>) | void>): void {
    this.accepts.push(open);
  }
  random(length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let size = 0; size < length; size += 32) parts.push(sha256(utf8(`${this.#seed}/${this.#random++}`)));
    return new Uint8Array(Buffer.concat(parts).subarray(0, length));
  }
  sign(domain: string, network: Uint8Array, content: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(signBytes(signingBytes(domain as Domain, network, content), this.keys.secretKey));
  }
  verify(checks: readonly SignatureCheck[]): Promise<boolean[]> {
    return Promise.resolve(checks.map((check) => verifySignature(check.publicKey, check.message, check.signature)));
  }
  health(health: Health): void {
    this.lastHealth = health;
  }
  inspect(): NodeInspection {
    return { plugins: [], stages: [], startedAt: this.clock.now() };
  }
  fatal(kind: FatalKind, error: Error): void {
    this.fatals.push({ kind, error });
  }
  fill(container: { register(token: symbol, provider: { useValue: unknown }): unknown }): void {
    for (const member of ['config', 'log', 'clock', 'metrics', 'identity'] as const) {
      container.register(Symbol.for(`it-chain:${member}`), { useValue: this[member] });
    }
  }

  /** Runs a plugin's `setup` with this context. */
  async setup(plugin: Plugin): Promise<StartedByHand> {
    // The double stands for any plugin's context; the plugin's own schema made `config` what it expects.
    const running = (await plugin.setup(this as unknown as PluginContext<never>)) ?? {};
    return {
      start: async () => {
        await running.start?.();
      },
      stop: async () => {
        await running.stop?.();
      },
    };
  }

  #listen(name: string, handler: Handler): void {
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), handler]);
  }
}

const silentMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  text: () => Promise.resolve(''),
};
