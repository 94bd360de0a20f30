import type { z } from 'zod';
import type { Bus } from '../bus/bus.js';
import type { BusNeeds } from './bus-needs.js';
import type { Clock } from './clock.js';
import type { Failpoint } from './failpoint.js';
import type { Log } from './log.js';
import type { Metrics } from './metrics.js';
import type { AnyNotice, NoticeDefinition, Role, Served } from './role.js';

/** The version of the plugin API that this copy of contracts speaks. A plugin built for another major is refused. */
export const PLUGIN_API = 1;

/** Verifies one signature off the event loop. */
export interface SignatureCheck {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Who this node is. The key itself never leaves the process that holds it. */
export interface NodeIdentity {
  /** base58btc of the SHA-256 of the public key. */
  readonly nodeId: string;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The operator's name for the node, from the config. */
  readonly name: string;
}

/** How a plugin's health is told. `failing` makes the node's health NOT_SERVING. */
export interface Health {
  readonly state: 'ok' | 'degraded' | 'failing';
  /** Why, in one sentence, when not ok. */
  readonly reason?: string | undefined;
}

/** Why the process is ended on purpose; each kind has its own exit code (docs/cli.md). */
export type FatalKind = 'damaged' | 'io' | 'safety' | 'in-use' | 'failed';

/** What a plugin gets. Everything in it works the same in one process, in several, and in the simulator. */
export interface PluginContext<Config = unknown> {
  /** The plugin's own section, checked against its schema, defaults filled in. */
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly identity: NodeIdentity;
  /** A directory of the plugin's own; made when first asked for. Absolute. */
  dataDir(): string;
  /** The `node` section of the config; `solo` and `acceptDoubleSignRisk` are flags of the command line. */
  readonly node: {
    readonly dataDir: string;
    readonly name: string;
    readonly solo: boolean;
    readonly version: string;
    /** The operator lets this node vote although it may have forgotten votes that it gave. */
    readonly acceptDoubleSignRisk?: boolean | undefined;
  };
  /** The `bus` section of the config. */
  readonly busConfig: BusConfig;

  /** Serves a role of `provides` with a plain object. Bound when the plugin's `start` has returned, so reachable means ready. */
  serve<R extends Role>(role: R, provider: Served<R>): void;
  /** A typed proxy for a role of `requires` or `uses`. */
  use<R extends Role>(role: R): Served<R>;
  /** Listens to an event or transient message. `durable` also gets what was published while this process was away. */
  on<B>(
    notice: NoticeDefinition<B>,
    handler: (body: B, meta: NoticeMeta) => void | Promise<void>,
    options?: { readonly durable?: boolean },
  ): void;
  /** Listens to an event or transient message of any name; for plugins that pass the node's events on. */
  onAny(
    notices: readonly AnyNotice[],
    handler: (name: string, body: unknown, meta: NoticeMeta) => void | Promise<void>,
  ): void;
  /** Tells an event or transient message. Resolves when the bus has it; a failure is logged, never thrown: events are hints. */
  emit<B>(notice: NoticeDefinition<B>, body: B): Promise<void>;
  /** For the one plugin that brings the bus. Called by the kernel in the stage `bus`, before any `start`. */
  provideBus(open: () => Promise<Bus>): void;
  /** Runs when everything is started: the stage `accept` opens doors to the outside; the result closes them first of all. */
  onAccept(open: () => Promise<(() => Promise<void>) | void>): void;

  /** Random bytes; the simulator's are seeded. */
  random(length: number): Uint8Array;
  /**
   * Signs `content` for `domain` on `network` with the node's key: Ed25519, 64 bytes. Votes are signed by `identity.signVote` only.
   * @throws ERR_BUS_NO_PROVIDER where the process that holds the key is away
   */
  sign(domain: string, network: Uint8Array, content: Uint8Array): Promise<Uint8Array>;
  /** Verifies signatures off the event loop, all at once; one verdict each, in order. */
  verify(checks: readonly SignatureCheck[]): Promise<boolean[]>;

  /** Tells the node's health page about this plugin. */
  health(health: Health): void;
  /** The health of every plugin of this process, the stages, and the metrics: for the plugin that shows them. */
  inspect(): NodeInspection;
  /** Passes a named failpoint: nothing, but where a test has armed it the process ends here as kill -9 would end it. */
  readonly failpoint: Failpoint;
  /** Ends the process on purpose, after a stop within the limit. Never returns to normal work. */
  fatal(kind: FatalKind, error: Error): void;
  /** Fills a tsyringe container of the plugin's own with what is in this context, under `Symbol.for('it-chain:<member>')`. */
  fill(container: { register(token: symbol, provider: { useValue: unknown }): unknown }): void;
}

/** Facts about a notice that was received. */
export interface NoticeMeta {
  readonly messageId: string;
  readonly timestamp?: number | undefined;
  readonly redelivered: boolean;
}

/** The `bus` section: embedded server at `listen`, a broker at `url`, or no server at all: in the memory of the one process. */
export type BusConfig =
  | {
      readonly listen: string;
      readonly url?: undefined;
      readonly memory?: undefined;
      /** Plugins in other processes, each of which gets a user of its own. */
      readonly foreign?: readonly BusNeeds[] | undefined;
    }
  | { readonly url: string; readonly listen?: undefined; readonly memory?: undefined }
  | { readonly memory: true; readonly listen?: undefined; readonly url?: undefined };

/** What the kernel knows about this process. */
export interface NodeInspection {
  readonly plugins: readonly {
    readonly name: string;
    readonly role: string;
    readonly version: string;
    readonly state: PluginState;
    readonly health: Health;
  }[];
  readonly stages: readonly { readonly name: string; readonly ms: number }[];
  readonly startedAt: number;
}

/** Where a plugin is in its life. `remote`: its role runs in another process. */
export type PluginState = 'loaded' | 'set-up' | 'starting' | 'ready' | 'stopping' | 'stopped' | 'failed' | 'remote';

/** What `setup` gives back: `start` may use other roles, `stop` undoes it. Each has a time limit. */
export interface Running {
  /** Begins the work; the roles it needs can be called now. It never waits for a peer, and has 30 s. */
  start?(): void | Promise<void>;
  /** Ends the work; the roles it needs can still be called. */
  stop?(): void | Promise<void>;
}

/** A plugin: its manifest and its `setup`, which only says what is wanted; nothing happens before the bus is open. */
export interface Plugin<Schema extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** Semantic version of the plugin itself. */
  readonly version: string;
  /** The plugin API it was built for. */
  readonly api: number;
  /** Roles it serves. With several, the config says `role:` which one is meant. */
  readonly provides: readonly Role[];
  /** Roles that must be ready before its `start`. */
  readonly requires: readonly Role[];
  /** Roles it calls later; no order is implied, so two plugins may know each other. */
  readonly uses: readonly Role[];
  /** The schema of its config section; unknown keys are refused. */
  readonly config?: Schema | undefined;
  /** Makes the plugin ready: serves, listens and subscribes through the context. Nothing is called here yet. */
  setup(context: PluginContext<z.output<Schema>>): Running | void | Promise<Running | void>;
}

/** Marks a value as a plugin, whichever copy of contracts made it. */
export const PLUGIN_MARK = Symbol.for('it-chain:plugin');

/** Defines a plugin. Lists that are left out are empty. */
export function definePlugin<Schema extends z.ZodType>(
  plugin: Omit<Plugin<Schema>, 'api' | 'requires' | 'uses' | 'provides'> &
    Partial<Pick<Plugin<Schema>, 'requires' | 'uses' | 'provides'>>,
): Plugin<Schema> {
  const made = { requires: [], uses: [], provides: [], ...plugin, api: PLUGIN_API };
  Object.defineProperty(made, PLUGIN_MARK, { value: true, enumerable: false });
  return made;
}
