import {
  failure,
  type Identity,
  nodeIdOf,
  noticeAddress,
  roleAddress,
  signBytes,
  signingBytes,
  verifySignature,
  voteSigningBytes,
  type Bus,
  type Domain,
  type FatalKind,
  type IncomingMessage,
  type KeyPair,
  type NodeIdentity,
  type NoticeDefinition,
  type Plugin,
  type PluginContext,
  type Role,
  type Running,
  type Served,
} from '@it-chain/contracts';
import {
  createMetrics,
  createPluginContext,
  createProxy,
  MemoryBus,
  randomBytes,
  serveRole,
  type BoundPlugin,
} from '@it-chain/kernel';
import { FakeNode } from '../doubles/fake-node.js';
import { MemoryStorage } from '../doubles/memory-storage.js';
import { RecordingLog } from '../doubles/recording-log.js';
import { TrackingClock } from './tracking-clock.js';

/** What a {@link PluginHost} is made of. */
export interface PluginHostOptions {
  /** The plugin's section, as its schema takes it. */
  readonly config?: unknown;
  /** Which role it plays, where it can play several. */
  readonly role?: string | undefined;
  /** Doubles of the roles that it requires or uses, by name. Those of the framework have one already. */
  readonly roles?: Readonly<Record<string, object>> | undefined;
  /** Where its data directory is. Absent: asking for one fails, as on a disk that cannot be written. */
  readonly dataDir?: string | undefined;
  /** Name of the node, which gives it its key. Default: `tested`, with the key of any `FakeNode`. */
  readonly name?: string | undefined;
  /** False: no role that it needs is there. */
  readonly served?: boolean | undefined;
  /** What a life before this one left in the store. */
  readonly storage?: MemoryStorage | undefined;
}

/** One life of a plugin in a real context, on a bus in memory, among doubles of the other roles. */
export class PluginHost {
  readonly clock = new TrackingClock();
  readonly log = new RecordingLog();
  readonly node: FakeNode;
  /** Ends that the plugin asked for. */
  readonly fatals: { readonly kind: FatalKind; readonly error: Error }[] = [];
  /** What it did that only a started plugin may, or without a word in its manifest. */
  readonly offences: string[] = [];
  readonly #name: string;
  readonly #plugin: Plugin;
  readonly #options: PluginHostOptions;
  readonly #metrics = createMetrics();
  readonly #bound: BoundPlugin;
  #bus: Bus | undefined;
  #running: Running = {};
  #doors: (() => Promise<void>)[] = [];
  #calls = 0;

  private constructor(plugin: Plugin, config: unknown, options: PluginHostOptions) {
    this.#plugin = plugin;
    this.#options = options;
    this.#name = options.name ?? 'tested';
    this.node = new FakeNode(options.name);
    this.node.found();
    const { keys } = this.node;
    this.#bound = createPluginContext({
      plugin,
      role: options.role,
      config,
      log: this.log,
      clock: this.clock,
      metrics: this.#metrics,
      verify: (checks) =>
        Promise.resolve(checks.map((one) => verifySignature(one.publicKey, one.message, one.signature))),
      random: randomBytes,
      identity: this.#identity(keys),
      bus: () => this.bus,
      node: { dataDir: options.dataDir ?? '/nonexistent', name: this.#name, solo: false, version: '1.0.0' },
      busConfig: { listen: '127.0.0.1:0' },
      pluginDataDir: options.dataDir ?? '',
      inspect: () => ({ plugins: [], stages: [], startedAt: this.clock.now() }),
      fatal: (kind, error) => this.fatals.push({ kind, error }),
      onHealth: () => undefined,
    });
  }

  /** Checks the section with the plugin's schema. @throws what the schema says */
  static async create(plugin: Plugin, options: PluginHostOptions = {}): Promise<PluginHost> {
    const config: unknown = await plugin.config?.parseAsync(options.config ?? {});
    return new PluginHost(plugin, config, options);
  }

  /** In a process without the node's key it comes over the bus: nobody can know it before. */
  #identity({ publicKey }: KeyPair): NodeIdentity {
    const noteIfEarly = (): void => {
      if (this.#bus === undefined) this.offences.push('it read the public key in setup');
    };
    return {
      nodeId: nodeIdOf(publicKey),
      name: this.#name,
      get publicKey() {
        noteIfEarly();
        return publicKey;
      },
    };
  }

  /** The bus, once it is open. */
  get bus(): Bus {
    if (this.#bus !== undefined) return this.#bus;
    this.offences.push('it used the bus in setup');
    throw failure('ERR_BUS_CLOSED', `the plugin ${this.#plugin.name} used the bus before it was open`);
  }

  /** Roles that it asked to serve. */
  get served(): readonly Role[] {
    return this.#bound.served;
  }

  /** Runs its `setup`. */
  async setup(): Promise<void> {
    const context: PluginContext = {
      ...this.#bound.context,
      dataDir: () => {
        if (this.#options.dataDir === undefined) throw failure('ERR_NODE_DATA_DIR', 'the disk cannot be written');
        return this.#bound.context.dataDir();
      },
      use: (role) => {
        const known = [...this.#plugin.requires, ...this.#plugin.uses].map(roleAddress);
        // Noted, because a plugin may catch the error that follows.
        if (!known.includes(roleAddress(role))) this.offences.push(`it asked for the undeclared ${roleAddress(role)}`);
        return this.#bound.context.use(role);
      },
      serve: (role, provider) => {
        if (!this.#plugin.provides.map(roleAddress).includes(roleAddress(role))) {
          this.offences.push(`it serves the undeclared ${roleAddress(role)}`);
        }
        this.#bound.context.serve(role, provider);
      },
    };
    // The plugin's own schema made the config what its context says.
    this.#running = (await this.#plugin.setup(context as PluginContext<never>)) ?? {};
  }

  /** Opens the bus with the doubles on it, and runs its `start`. */
  async start(): Promise<void> {
    const bus = (await this.#bound.openBus?.()) ?? new MemoryBus({ clock: this.clock, log: this.log });
    this.#bus = bus;
    if (this.#options.served !== false) await this.#serveDoubles(bus);
    await this.#bound.bindListeners();
    await this.#running.start?.();
    await this.#bound.bindRoles();
    for (const open of this.#bound.accepts) {
      const close = await open();
      if (close !== undefined) this.#doors.push(close);
    }
  }

  /** A role as another plugin of this node reaches it. */
  use<R extends Role>(role: R): Served<R> {
    const nextId = (): string => `host-${(this.#calls += 1)}`;
    return createProxy(role, { bus: () => this.bus, clock: this.clock, sender: 'host', nextId });
  }

  /** Hears what the plugin tells, as another plugin of this node does. The bus must be open. */
  async on<B>(notice: NoticeDefinition<B>, handler: (body: B) => void | Promise<void>): Promise<void> {
    const address = [noticeAddress(notice)];
    const handle = async ({ body }: IncomingMessage): Promise<void> => handler(notice.body.decode(body));
    if (notice.kind === 'event') await this.bus.subscribe(address, handle);
    else await this.bus.listen(address, handle, { maxQueued: notice.maxQueued });
  }

  /** Closes its doors, takes it off the bus, runs its `stop` and closes the bus, also where `start` failed or never ran. */
  async stop(): Promise<void> {
    try {
      for (const close of this.#doors.splice(0)) await close();
      await this.#bound.unbind();
      await this.#running.stop?.();
    } finally {
      await this.#bus?.close();
      this.#metrics.close();
    }
  }

  async #serveDoubles(bus: Bus): Promise<void> {
    const doubles: Readonly<Record<string, object>> = {
      ...this.node.roles,
      storage: this.#options.storage ?? new MemoryStorage(),
      identity: identityOf(this.node.keys, this.#name),
      ...this.#options.roles,
    };
    const own = this.#bound.served.map(roleAddress);
    const wanted = new Map([...this.#plugin.requires, ...this.#plugin.uses].map((role) => [roleAddress(role), role]));
    for (const [address, role] of wanted) {
      if (own.includes(address)) continue;
      const double = doubles[role.name];
      if (double === undefined) throw new TypeError(`give a double of the role ${role.name} in \`roles\``);
      await serveRole(bus, role, complete(role, double), this.log);
    }
  }
}

/** A double may leave calls out; they are answered with a code. */
function complete(role: Role, double: object): object {
  const methods = Object.keys(role.calls).map((method) => {
    const own = (double as Record<string, ((...input: unknown[]) => unknown) | undefined>)[method];
    const missing = (): Promise<never> =>
      Promise.reject(failure('ERR_ROLE_UNKNOWN_CALL', `the double of ${role.name} has no ${method}`));
    return [method, own === undefined ? missing : own.bind(double)] as const;
  });
  return Object.fromEntries(methods);
}

function identityOf(keys: KeyPair, name: string): Identity {
  const signed = (bytes: Uint8Array): Promise<{ readonly signature: Uint8Array }> =>
    Promise.resolve({ signature: signBytes(bytes, keys.secretKey) });
  return {
    sign: ({ domain, network, content }) => signed(signingBytes(domain as Domain, network, content)),
    signVote: ({ network, vote }) => signed(voteSigningBytes(network, vote)),
    get: () => Promise.resolve({ publicKey: keys.publicKey, nodeId: nodeIdOf(keys.publicKey), name }),
  };
}
