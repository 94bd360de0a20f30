import {
  definePlugin,
  failure,
  Identity,
  keyPairFromSeed,
  nodeIdOf,
  sha256,
  Storage,
  Transport,
  utf8,
  type Clock,
  type KeyPair,
  type Log,
  type Metrics,
  type NodeIdentity,
  type Plugin,
  type PluginContext,
  type Role,
  type Running,
  type Served,
} from '@it-chain/contracts';
import {
  createPluginContext,
  createProxy,
  MemoryBus,
  serveRole,
  type BoundPlugin,
  type Delivery,
} from '@it-chain/kernel';
import type { EventQueue } from '../event-queue.js';
import type { Random } from '../random.js';
import { simulatedIdentity, verifyAll } from './simulated-identity.js';
import { SimulatedClock, type TimeFaults } from './simulated-clock.js';
import { SimulatedDisk } from './simulated-disk.js';
import type { Liar } from './liar.js';
import { SimulatedEnd } from './simulated-end.js';
import type { Switchboard } from './switchboard.js';

/** A plugin of the node under simulation and its section, checked by its schema. */
export interface SimulatedPlugin {
  readonly plugin: Plugin;
  readonly config: unknown;
}

/** Messages within a slow node are so much faster than those between nodes: a block takes dozens of them. */
const BUS_IS_FASTER = 50;

/** What all nodes of a run share. */
export interface NodeWorld {
  readonly queue: EventQueue;
  readonly board: Switchboard;
  readonly epochMs: number;
  readonly plugins: readonly SimulatedPlugin[];
  readonly guard: boolean;
  /** Share of transient messages of the bus that are lost, and that come twice. */
  readonly transient: { loss: number; duplication: number };
  onVote(node: SimulatedNode, slot: string, digest: string): void;
  onFatal(node: SimulatedNode, kind: string, error: Error): void;
  onStarted(node: SimulatedNode): void;
  say(node: SimulatedNode, what: string): void;
}

interface Life {
  readonly bus: MemoryBus;
  readonly clock: SimulatedClock;
  readonly bound: readonly BoundPlugin[];
  alive: boolean;
}

/** One node with all its plugins: what it has on disk outlives it. */
export class SimulatedNode implements NodeIdentity {
  readonly keys: KeyPair;
  readonly publicKey: Uint8Array;
  readonly nodeId: string;
  readonly name: string;
  readonly disk: SimulatedDisk;
  readonly time: TimeFaults = { offsetMs: 0, drift: 1, frozenUntil: 0, slowMs: 0 };
  /** What makes it lie, where it does. */
  liar: Liar | undefined;
  readonly #guard = new Map<string, string>();
  /** Signed without a guard and not in the log yet: such a vote is not sent, and a crash forgets it. */
  #unlogged: { readonly slot: string; readonly digest: string }[] = [];
  #life: Life | undefined;
  #calls = 0;

  readonly index: number;

  /** `identity`: whose key it has, the same as its index but for twins. */
  constructor(
    { index, identity }: { readonly index: number; readonly identity: number },
    readonly world: NodeWorld,
    readonly random: Random,
  ) {
    this.index = index;
    this.name = `node-${index}`;
    this.keys = keyPairFromSeed(sha256(utf8(`simulated node-${identity}`)));
    this.publicKey = this.keys.publicKey;
    this.nodeId = nodeIdOf(this.publicKey);
    this.disk = new SimulatedDisk(random.fork(1));
    this.disk.onWritten = ({ writes }) => {
      if (!writes.some(({ namespace }) => namespace === 'wal')) return;
      for (const { slot, digest } of this.#unlogged.splice(0)) this.world.onVote(this, slot, digest);
    };
  }

  get alive(): boolean {
    return this.#life?.alive === true;
  }

  /** A role of this node, as one of its plugins would call it. */
  use<R extends Role>(role: R): Served<R> {
    const life = this.#life;
    if (life === undefined) throw new Error(`${this.name} is down`);
    const nextId = (): string => `client-${this.index}-${(this.#calls += 1)}`;
    return createProxy(role, { bus: () => life.bus, clock: life.clock, sender: 'client', nextId });
  }

  /** The bus of this life, to listen on. */
  get bus(): MemoryBus | undefined {
    return this.#life?.bus;
  }

  /** Ends it at once. */
  crash(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.world.say(this, 'crashes');
    life.alive = false;
    this.#life = undefined;
    this.world.board.detach(this.index);
    this.disk.crash();
    this.#unlogged = [];
  }

  /** Starts it from its disk. A start that fails is a crash. */
  start(): void {
    if (this.#life !== undefined) return;
    const life = this.#createLife();
    this.#life = life;
    this.world.say(this, 'starts');
    this.#boot(life).then(
      () => {
        if (life.alive) this.world.onStarted(this);
      },
      (error: unknown) => {
        if (!life.alive) return;
        this.world.say(this, `cannot start: ${error instanceof Error ? error.message : String(error)}`);
        this.crash();
      },
    );
  }

  #createLife(): Life {
    const { queue, epochMs, transient } = this.world;
    const { random } = this;
    const life: { alive: boolean } & Partial<Life> = { alive: true };
    const clock = new SimulatedClock(queue, epochMs, this.time, () => life.alive);
    let last = 0;
    // All of a moment's deliveries happen in the order of their sending, on a slow node too: the promises of a bus.
    const arrive = (delivery: Delivery): void => {
      last = Math.max(last, queue.now + this.time.slowMs / BUS_IS_FASTER);
      clock.after((last - queue.now) * this.time.drift, () => delivery.run());
    };
    const schedule = (delivery: Delivery): void => {
      const lossy = delivery.kind === 'transient';
      if (lossy && transient.loss > 0 && random.chance(transient.loss)) return;
      arrive(delivery);
      if (lossy && transient.duplication > 0 && random.chance(transient.duplication)) arrive(delivery);
    };
    const bus = new MemoryBus({ clock, schedule });
    return Object.assign(life, { bus, clock, bound: [] as BoundPlugin[] });
  }

  async #boot(life: Life): Promise<void> {
    const { bus, clock } = life;
    const log = this.#log();
    const identity = simulatedIdentity(this, this.world.guard ? this.#guard : undefined, (slot, digest) => {
      if (!life.alive) return;
      if (this.world.guard) this.world.onVote(this, slot, digest);
      else this.#unlogged.push({ slot, digest });
    });
    await serveRole(bus, Identity, identity, log);
    await serveRole(bus, Storage, this.disk.serve(clock), log);
    const gateway = this.#bind(life, { plugin: GATEWAY, config: undefined }, log);
    const end = new SimulatedEnd(this, clock, this.world.board, gateway.context);
    this.world.board.attach(end);
    await serveRole(bus, Transport, end.serve(), log);
    const lives: { readonly bound: BoundPlugin; readonly running: Running }[] = [];
    for (const simulated of this.world.plugins) {
      const bound = this.#bind(life, simulated, log);
      const context = this.liar?.corrupt(simulated.plugin, bound.context) ?? bound.context;
      // Its own schema made the config what its context says.
      const running = (await simulated.plugin.setup(context as PluginContext<never>)) ?? {};
      lives.push({ bound, running });
    }
    for (const { bound, running } of lives) {
      await bound.bindListeners();
      await running.start?.();
      await bound.bindRoles();
    }
  }

  #bind(life: Life, { plugin, config }: SimulatedPlugin, log: Log): BoundPlugin {
    const { world } = this;
    return createPluginContext({
      plugin,
      config,
      log,
      clock: life.clock satisfies Clock,
      metrics: SILENT,
      verify: verifyAll,
      random: (length) => this.#randomBytes(length),
      identity: { nodeId: this.nodeId, publicKey: this.publicKey, name: this.name },
      bus: () => life.bus,
      node: { dataDir: '', name: this.name, solo: false, version: '1.0.0' },
      busConfig: { listen: '127.0.0.1:0' },
      pluginDataDir: '',
      inspect: () => ({ plugins: [], stages: [], startedAt: 0 }),
      fatal: (kind, error) => {
        if (life.alive) world.onFatal(this, kind, error);
      },
      onHealth: () => undefined,
    });
  }

  #randomBytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.random.below(256);
    return bytes;
  }

  #log(): Log {
    const line = (message: string, fields: object = {}): void => {
      this.world.say(this, `${message} ${JSON.stringify(fields)}`);
    };
    return { debug: line, info: line, warn: line, error: line };
  }
}

/** Stands for the plugin whose events the switchboard tells. */
const GATEWAY: Plugin = definePlugin({
  name: 'gateway',
  version: '1.0.0',
  provides: [Transport],
  setup: () => {
    throw failure('ERR_ROLE_UNKNOWN_CALL', 'the simulated gateway is not set up');
  },
});

const SILENT: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  text: () => Promise.resolve(''),
};
