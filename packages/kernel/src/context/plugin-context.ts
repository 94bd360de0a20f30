import { mkdirSync } from 'node:fs';
import {
  busNeedsOf,
  failure,
  Identity,
  messageOf,
  noFailpoint,
  noticeAddress,
  roleAddress,
  toHex,
  type AnyNotice,
  type Bus,
  type BusConfig,
  type BusNeeds,
  type Clock,
  type Failpoint,
  type FatalKind,
  type Health,
  type Log,
  type Metrics,
  type NodeIdentity,
  type NodeInspection,
  type NoticeDefinition,
  type Plugin,
  type PluginContext,
  type Registration,
  type Role,
  type Served,
  type SignatureCheck,
} from '@it-chain/contracts';
import { Allowance, DEFAULT_LIMITS, type PluginLimits } from './allowance.js';
import { RateLimit } from './rate-limit.js';
import { createProxy, type CallOrigin } from './role-proxy.js';
import { missingCalls, serveRole } from './role-server.js';
import { NoticeListeners, type NoticeHandler } from './notice-listeners.js';

/** How often dropped events are logged, in ms. */
const DROPPED_LOG_MS = 10_000;

/** What the kernel gives to make the context of one plugin. */
export interface PluginContextOptions {
  readonly plugin: Plugin;
  /** The role the config means, for a plugin that can play several; only that one is bound. */
  readonly role?: string | undefined;
  /** The plugin's section, checked. */
  readonly config: unknown;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** One verdict per signature, in order. */
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** Random bytes of a length. */
  readonly random: (length: number) => Uint8Array;
  readonly identity: NodeIdentity;
  /** The bus, once it is open. Asked anew at every call. */
  readonly bus: () => Bus;
  readonly node: PluginContext['node'];
  readonly busConfig: BusConfig;
  /** Where {@link PluginContext.dataDir} is; made at its first call. Absolute. */
  readonly pluginDataDir: string;
  /** What runs in this node. */
  readonly inspect: () => NodeInspection;
  /** Ends the process on purpose, with the exit code of the kind. */
  readonly fatal: (kind: FatalKind, error: Error) => void;
  /** Told each time the plugin reports its health. */
  readonly onHealth: (health: Health) => void;
  /** What the plugin may have under way on the bus. Default: that of the config. */
  readonly limits?: PluginLimits | undefined;
  /** Default: nothing happens at any. */
  readonly failpoint?: Failpoint | undefined;
}

/** The kernel's side of a plugin's context: binds to the bus what `setup` asked for. */
export interface BoundPlugin {
  readonly context: PluginContext;
  /**
   * Subscribes to the events and transient messages of `setup`. Runs before the plugin's `start`, so nothing that is
   * told during `start` is missed: a handler may therefore be called before `start` has returned.
   */
  bindListeners(): Promise<void>;
  /** Serves the roles of `setup`. Runs when `start` has returned. @throws ERR_ROLE_TAKEN, ERR_PLUGIN_NOT_SERVED */
  bindRoles(): Promise<void>;
  /** Takes back everything that was bound, roles first. Safe to call twice. */
  unbind(): Promise<void>;
  /** What the plugin gave to `provideBus`. */
  readonly openBus: (() => Promise<Bus>) | undefined;
  /** What the plugin gave to `onAccept`, in order. */
  readonly accepts: readonly (() => Promise<(() => Promise<void>) | void>)[];
  /** The roles that the plugin asked to serve and that will be bound. */
  readonly served: readonly Role[];
}

/** Makes the context of one plugin. Nothing reaches the bus before one of the `bind` methods is called. */
export function createPluginContext(options: PluginContextOptions): BoundPlugin {
  return new PluginBinding(options);
}

class PluginBinding implements BoundPlugin {
  readonly context: PluginContext;
  readonly accepts: (() => Promise<(() => Promise<void>) | void>)[] = [];
  openBus: (() => Promise<Bus>) | undefined;
  readonly #options: PluginContextOptions;
  readonly #providers = new Map<string, { readonly role: Role; readonly provider: object }>();
  readonly #listeners: NoticeListeners;
  readonly #origin: CallOrigin;
  readonly #needs: BusNeeds;
  readonly #events: RateLimit;
  readonly #refuse: (what: 'events' | 'calls') => void;
  #dropped = 0;
  #tellDroppedAt = -Infinity;
  #registrations: Registration[] = [];

  constructor(options: PluginContextOptions) {
    this.#options = options;
    const { plugin, bus, log, clock, random, metrics, limits = DEFAULT_LIMITS } = options;
    // Unique without a draw per message: eight random bytes of this context and a counter.
    const prefix = toHex(random(8));
    let count = 0;
    this.#needs = busNeedsOf(plugin);
    const { name } = plugin;
    const refused = metrics.counter('kernel_plugin_refused_total', 'Events and calls above the share of a plugin.', [
      'plugin',
      'what',
    ]);
    this.#refuse = (what) => {
      refused.add(1, { plugin: name, what });
    };
    this.#events = new RateLimit({ perSecond: limits.eventsPerSecond }, { clock });
    const allowance = new Allowance({ plugin: name, max: limits.openCalls }, () => {
      this.#refuse('calls');
    });
    this.#origin = { bus, clock, sender: name, nextId: () => `${prefix}-${(count++).toString(36)}`, allowance };
    this.#listeners = new NoticeListeners({ durableName: plugin.name }, { log });
    this.context = this.#createContext();
  }

  get served(): readonly Role[] {
    const { role } = this.#options;
    const roles = [...this.#providers.values()].map((entry) => entry.role);
    return role === undefined ? roles : roles.filter((one) => one.name === role);
  }

  async bindListeners(): Promise<void> {
    this.#registrations.push(...(await this.#listeners.bind(this.#options.bus())));
  }

  async bindRoles(): Promise<void> {
    for (const role of this.served) {
      const provider = this.#providers.get(roleAddress(role))?.provider;
      if (provider === undefined) continue;
      this.#registrations.unshift(await serveRole(this.#options.bus(), role, provider, this.#options.log));
    }
  }

  async unbind(): Promise<void> {
    const registrations = this.#registrations;
    this.#registrations = [];
    for (const registration of registrations) {
      try {
        await registration.close();
      } catch (error) {
        // The plugin is on its way out: a registration that cannot be taken back ends with the bus.
        this.#options.log.debug('a registration could not be taken back', { reason: messageOf(error) });
      }
    }
  }

  #createContext(): PluginContext {
    const { plugin, config, log, clock, metrics, identity, node, busConfig } = this.#options;
    const { verify, random, inspect, fatal, onHealth, pluginDataDir, failpoint = noFailpoint } = this.#options;
    let signer: Served<typeof Identity> | undefined;
    const context: PluginContext = {
      config,
      log,
      clock,
      metrics,
      identity,
      node,
      busConfig,
      dataDir: () => {
        mkdirSync(pluginDataDir, { recursive: true, mode: 0o700 });
        return pluginDataDir;
      },
      serve: (role, provider) => {
        this.#serve(role, provider);
      },
      use: (role) => this.#use(role),
      on: (notice, handler, { durable = false } = {}) => {
        this.#checkListens([notice]);
        this.#listeners.add([notice], (_name, body, meta) => handler(body as never, meta), durable);
      },
      onAny: (notices: readonly AnyNotice[], handler: NoticeHandler) => {
        this.#checkListens(notices);
        this.#listeners.add(notices, handler, false);
      },
      emit: (notice, body) => this.#emit(notice, body),
      provideBus: (open) => {
        if (this.openBus !== undefined) {
          throw failure('ERR_PLUGIN_TWO_BUSES', `the plugin "${plugin.name}" called provideBus twice`);
        }
        this.openBus = open;
      },
      onAccept: (open) => {
        this.accepts.push(open);
      },
      random,
      sign: async (domain, network, content) => {
        signer ??= createProxy(Identity, this.#origin);
        return (await signer.sign({ domain, network, content })).signature;
      },
      verify,
      health: onHealth,
      inspect,
      failpoint,
      fatal,
      fill: (container) => {
        for (const [member, value] of Object.entries(context)) {
          container.register(Symbol.for(`it-chain:${member}`), { useValue: value as unknown });
        }
      },
    };
    return context;
  }

  #serve(role: Role, provider: object): void {
    const { plugin } = this.#options;
    const address = roleAddress(role);
    if (!plugin.provides.some((declared) => roleAddress(declared) === address)) {
      throw failure('ERR_PLUGIN_ROLE_UNDECLARED', `the plugin "${plugin.name}" serves ${address} without providing it`);
    }
    if (this.#providers.has(address)) {
      throw failure('ERR_PLUGIN_SERVED_TWICE', `the plugin "${plugin.name}" serves ${address} twice`);
    }
    const missing = missingCalls(role, provider);
    if (missing.length > 0) {
      throw failure(
        'ERR_PLUGIN_NOT_SERVED',
        `the plugin "${plugin.name}" serves ${address} without ${missing.join(', ')}`,
      );
    }
    this.#providers.set(address, { role, provider });
  }

  /** A plugin hears the events of the roles that its manifest names: elsewhere its broker user may not either. */
  #checkListens(notices: readonly AnyNotice[]): void {
    const { events, transients } = this.#needs.listens;
    const strange = notices.map(noticeAddress).find((one) => !events.includes(one) && !transients.includes(one));
    if (strange === undefined) return;
    throw failure(
      'ERR_PLUGIN_ROLE_UNDECLARED',
      `the plugin "${this.#needs.name}" listens to ${strange}, which is of no role in its manifest`,
      { hint: 'add the role that tells it to uses' },
    );
  }

  #use<R extends Role>(role: R): Served<R> {
    const { plugin } = this.#options;
    const address = roleAddress(role);
    if (![...plugin.requires, ...plugin.uses].some((declared) => roleAddress(declared) === address)) {
      throw failure(
        'ERR_PLUGIN_ROLE_UNDECLARED',
        `the plugin "${plugin.name}" uses ${address}, which is neither in its requires nor in its uses`,
      );
    }
    return createProxy(role, this.#origin);
  }

  /** A plugin that floods must not fill the log as well. */
  #onDropped(event: string): void {
    const { log, clock } = this.#options;
    this.#refuse('events');
    this.#dropped += 1;
    const now = clock.monotonic();
    if (now < this.#tellDroppedAt) return;
    this.#tellDroppedAt = now + DROPPED_LOG_MS;
    log.warn('events are dropped: this plugin tells more than its share', { event, dropped: this.#dropped });
  }

  async #emit<B>(notice: NoticeDefinition<B>, body: B): Promise<void> {
    const { bus, log, clock, plugin } = this.#options;
    try {
      const { events, transients } = this.#needs.tells;
      if (![...events, ...transients].includes(noticeAddress(notice))) {
        throw failure('ERR_PLUGIN_ROLE_UNDECLARED', `${noticeAddress(notice)} is of no role that the plugin provides`);
      }
      if (notice.kind === 'transient') {
        bus().cast(noticeAddress(notice), notice.body.encode(body));
        return;
      }
      if (!this.#events.take()) {
        this.#onDropped(notice.name);
        return;
      }
      const meta = { messageId: this.#origin.nextId(), timestamp: clock.now(), sender: plugin.name };
      await bus().publish(noticeAddress(notice), notice.body.encode(body), meta);
    } catch (error) {
      log.warn('an event could not be told', { event: notice.name, reason: messageOf(error) });
    }
  }
}
