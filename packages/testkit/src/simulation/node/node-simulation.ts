import {
  Chain,
  encodeDraft,
  Genesis,
  isItChainError,
  keyPairFromSeed,
  KvOperation,
  networkOf,
  noticeAddress,
  P2p,
  sha256,
  toHex,
  transactionId,
  transactionSigningBytes,
  TxPool,
  utf8,
  withSignature,
  type ChainTip,
} from '@it-chain/contracts';
import { EventQueue } from '../event-queue.js';
import { broken, thrown, type InvariantViolation } from '../invariants.js';
import { Links, NO_FAULTS } from '../links.js';
import { NO_DISK_FAULTS } from '../process.js';
import { Random } from '../random.js';
import { drawPlan, type Action, type FaultProfile, type Plan } from '../schedule.js';
import { TraceHash } from '../trace.js';
import { keyedSignature } from './keyed-identity.js';
import { NodeInvariants } from './node-invariants.js';
import { SimulatedNode, type NodeWorld, type SimulatedPlugin } from './simulated-node.js';
import { Switchboard } from './switchboard.js';

const EPOCH_MS = 1_700_000_000_000;
const KEYS = 20;
/** The limit for peace, in simulated ms. */
const PEACE_MS = 90_000;

/** Profiles of the node simulator: Byzantine nodes and arbitrary sets are for the core simulator. */
export const NODE_PROFILES: Readonly<Record<string, FaultProfile>> = {
  none: {
    network: false,
    partitions: false,
    crashes: false,
    disks: false,
    clocks: false,
    members: false,
    byzantine: false,
  },
  network: {
    network: true,
    partitions: true,
    crashes: false,
    disks: false,
    clocks: false,
    members: false,
    byzantine: false,
  },
  power: {
    network: false,
    partitions: false,
    crashes: true,
    disks: false,
    clocks: false,
    members: false,
    byzantine: false,
  },
  mixed: {
    network: true,
    partitions: true,
    crashes: true,
    disks: true,
    clocks: true,
    members: false,
    byzantine: false,
  },
};

/** How one seed of the node simulator is run. */
export interface NodeRunOptions {
  readonly seed: number;
  /** Nodes; without it the seed draws 1 to 5. */
  readonly nodes?: number | undefined;
  /** A name of {@link NODE_PROFILES}. Default `mixed`. */
  readonly faults?: string | undefined;
  /** Length of the troubled part, in simulated ms. Default 15,000. */
  readonly chaosMs?: number | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

/** What became of it. */
export interface NodeRunReport {
  readonly seed: number;
  readonly violation: InvariantViolation | undefined;
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly messages: number;
  readonly height: number;
}

/** Runs one seed: nodes found and join a network, trouble, then peace. The plugins are handed in, in the order of their roles. */
export async function runNodes(plugins: readonly SimulatedPlugin[], options: NodeRunOptions): Promise<NodeRunReport> {
  const simulation = new NodeSimulation(plugins, options);
  // A promise that nobody waits for and that fails is a fault of the code under simulation.
  const onRejection = (error: unknown): void => simulation.fail(thrown(error, 'an unhandled rejection'));
  process.on('unhandledRejection', onRejection);
  try {
    await simulation.run();
  } catch (error) {
    simulation.fail(thrown(error, 'the simulation'));
  } finally {
    process.off('unhandledRejection', onRejection);
    simulation.end();
  }
  return simulation.report();
}

class NodeSimulation {
  readonly #options: NodeRunOptions;
  readonly #plan: Plan;
  readonly #queue = new EventQueue();
  readonly #links: Links;
  readonly #board: Switchboard;
  readonly #random: Random;
  readonly #nodes: SimulatedNode[] = [];
  readonly #invariants: NodeInvariants;
  readonly #hash = new TraceHash();
  readonly #client = keyPairFromSeed(sha256(utf8('simulated client')));
  readonly #transient = { loss: 0, duplication: 0 };
  #network: Uint8Array | undefined;
  #transactions = 0;
  #violation: InvariantViolation | undefined;

  constructor(plugins: readonly SimulatedPlugin[], options: NodeRunOptions) {
    this.#options = options;
    const profile = NODE_PROFILES[options.faults ?? 'mixed'];
    if (profile === undefined) {
      throw new RangeError(
        `no fault profile "${options.faults ?? ''}"; there are ${Object.keys(NODE_PROFILES).join(', ')}`,
      );
    }
    const random = new Random(options.seed);
    const planned = random.fork(7);
    const nodes = options.nodes ?? planned.pick([4, 4, 4, 3, 1, 2, 5]);
    this.#plan = drawPlan(planned, { nodes, profile, chaosMs: options.chaosMs ?? 15_000, strategies: [] });
    this.#random = random.fork(8);
    this.#invariants = new NodeInvariants();
    this.#links = new Links(nodes, random.fork(1));
    this.#board = new Switchboard(this.#queue, this.#links);
    const world = this.#world(plugins);
    for (let index = 0; index < nodes; index += 1) {
      const node = new SimulatedNode(index, world, random.fork(100 + index));
      // Some disks take their time to sync, so that a power cut falls into a write.
      if (profile.crashes) node.disk.faults = { ...NO_DISK_FAULTS, maxMs: this.#random.pick([3, 3, 30, 100]) };
      this.#nodes.push(node);
    }
  }

  #world(plugins: readonly SimulatedPlugin[]): NodeWorld {
    return {
      queue: this.#queue,
      board: this.#board,
      epochMs: EPOCH_MS,
      plugins,
      guard: this.#plan.guard,
      transient: this.#transient,
      onVote: (node, slot, digest) => {
        this.#note(node.index, 1, slot.length);
        this.#watch(() => this.#invariants.onVote(node.index, slot, digest));
      },
      onFatal: (node, kind, error) => {
        this.#say(node.index, `ends: ${kind}, ${error.message}`);
        if (kind === 'safety' || kind === 'damaged')
          this.fail(thrown(error, `node ${node.index} ended itself as ${kind}`));
        // After the present turn: a process ends where it stands.
        this.#queue.after(0, () => node.crash());
      },
      onStarted: (node) => void this.#onStarted(node),
      say: (node, what) => this.#say(node.index, what),
    };
  }

  fail(violation: InvariantViolation): void {
    this.#violation ??= violation;
  }

  /** Nothing of this run happens any more. */
  end(): void {
    for (const node of this.#nodes) node.crash();
  }

  report(): NodeRunReport {
    return {
      seed: this.#options.seed,
      violation: this.#violation,
      traceHash: this.#hash.value,
      simulatedMs: Math.round(this.#queue.now),
      steps: this.#queue.steps,
      messages: this.#board.messages,
      height: Math.max(0, ...this.#invariants.told.values()),
    };
  }

  async run(): Promise<void> {
    await this.#found();
    const begun = this.#queue.now;
    for (const action of this.#plan.actions) {
      await this.#pass(begun + action.at - this.#queue.now);
      if (this.#violation !== undefined) return;
      this.#perform(action);
    }
    await this.#pass(begun + (this.#options.chaosMs ?? 15_000) - this.#queue.now);
    await this.#peace();
  }

  /** Lets time pass, until `done` or a violation. Promises settle after each event. */
  async #pass(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const end = this.#queue.now + ms;
    await settle();
    while (this.#violation === undefined && !done()) {
      if (!this.#queue.step(end)) break;
      await settle();
    }
    return done();
  }

  /** The first node founds the network, the others join it one after the other. */
  async #found(): Promise<void> {
    const [first, ...others] = this.#nodes;
    if (first === undefined) return;
    for (const node of this.#nodes) node.start();
    await this.#pass(500);
    await this.#ask('found the network', async () => {
      const { genesis } = await first.use(P2p).found({});
      if (genesis !== undefined) this.#network = networkOf(Genesis.decode(genesis));
    });
    for (const node of others) {
      await this.#ask('join', async () => {
        await node.use(P2p).join({ address: 'node-0:7000' });
      });
    }
  }

  /** Tries a request of a client until it works. */
  async #ask(what: string, request: () => Promise<void>): Promise<void> {
    for (let tries = 0; tries < 20; tries += 1) {
      let state: 'waiting' | 'done' | 'failed' = 'waiting';
      request().then(
        () => (state = 'done'),
        (error: unknown) => {
          state = 'failed';
          this.#say(-1, `cannot ${what}: ${error instanceof Error ? error.message : String(error)}`);
        },
      );
      await this.#pass(30_000, () => state !== 'waiting');
      if ((state as string) === 'done' || this.#violation !== undefined) return;
      await this.#pass(500);
    }
    broken('liveness', `a client could not ${what} in peace`);
  }

  async #onStarted(node: SimulatedNode): Promise<void> {
    const { bus } = node;
    if (bus === undefined) return;
    try {
      const { body } = Chain.events.committed;
      await bus.subscribe([noticeAddress(Chain.events.committed)], async (message) => {
        const block = body.decode(message.body);
        this.#note(node.index, 2, block.height);
        this.#hash.addBytes(block.digest);
        this.#say(node.index, `committed ${block.height} ${toHex(block.digest).slice(0, 8)}`);
        this.#watch(() => this.#invariants.onTold(node.index, block));
        await this.#lookAtTip(node);
      });
      const tip = await this.#tipOf(node);
      if (tip !== undefined) this.#watch(() => this.#invariants.onRestarted(node.index, tip));
    } catch (error) {
      if (!isItChainError(error)) this.fail(thrown(error, `node ${node.index}`));
    }
  }

  async #lookAtTip(node: SimulatedNode): Promise<void> {
    const tip = await this.#tipOf(node);
    if (tip !== undefined) this.#watch(() => this.#invariants.onTip(node.index, tip));
  }

  async #tipOf(node: SimulatedNode): Promise<ChainTip | undefined> {
    if (!node.alive) return undefined;
    try {
      return await node.use(Chain).tip({});
    } catch (error) {
      if (isItChainError(error)) return undefined;
      throw error;
    }
  }

  /** A client puts a value at one node; whether it was taken is for the node to say. */
  #submit(index: number): void {
    const node = this.#nodes[index];
    if (node?.alive !== true || this.#network === undefined) return;
    const number = (this.#transactions += 1);
    const nonce = Buffer.alloc(8);
    nonce.writeUInt32BE(number);
    const key = utf8(`key-${number % KEYS}`);
    const application = KvOperation.encode({
      put: { key, value: utf8(`value-${number}`) },
      delete: undefined,
      compareAndSet: undefined,
    });
    const { publicKey } = this.#client;
    const draft = encodeDraft({ network: this.#network, nonce, expiresAt: 90_000, application }, publicKey);
    const encoded = withSignature(draft, keyedSignature(publicKey, transactionSigningBytes(draft, this.#network)));
    this.#invariants.onSubmitted(transactionId(encoded, this.#network));
    node
      .use(TxPool)
      .submit({ transactions: [encoded] })
      .then(
        ({ entries }) => this.#say(index, `answers ${entries[0]?.state ?? 'nothing'} ${entries[0]?.code ?? ''}`),
        (error: unknown) => {
          if (!isItChainError(error)) this.fail(thrown(error, `submit at node ${index}`));
        },
      );
  }

  #perform(action: Action): void {
    this.#say(-1, JSON.stringify(action));
    const node = 'node' in action ? this.#nodes[action.node] : undefined;
    switch (action.type) {
      case 'submit':
        for (const index of action.nodes.length === 0 ? this.#nodes.keys() : action.nodes) this.#submit(index);
        break;
      case 'links':
        this.#links.faults = action.faults;
        this.#transient.loss = action.faults.loss / 10;
        this.#transient.duplication = action.faults.duplication / 10;
        break;
      case 'partition':
        this.#links.partition(action.groups);
        this.#board.watch();
        break;
      case 'cut':
        this.#links.join();
        for (const [from, to] of action.links) this.#links.cut(from, to);
        this.#board.watch();
        break;
      case 'join':
        this.#links.join();
        break;
      case 'sessions':
        // Sessions break by themselves here.
        break;
      case 'crash':
        // Some steps later, so that it falls into whatever the node is about.
        if (node !== undefined) this.#queue.after(action.afterEffects / 2, () => node.crash());
        break;
      case 'start':
        this.#queue.after(20, () => node?.start());
        break;
      case 'power-cut':
        for (const one of this.#nodes) one.crash();
        break;
      case 'power-on':
        for (const one of this.#nodes) one.start();
        break;
      case 'disk':
        if (node === undefined) break;
        node.disk.faults = action.faults;
        node.disk.failingReads = action.failingStarts;
        break;
      case 'clock':
        if (node === undefined) break;
        node.time.offsetMs = action.offsetMs;
        node.time.drift = action.drift;
        break;
      case 'slow':
        break;
      case 'freeze':
        if (node !== undefined) node.time.frozenUntil = this.#queue.now + action.ms;
        break;
    }
  }

  async #peace(): Promise<void> {
    this.#say(-1, 'peace');
    this.#links.join();
    this.#links.faults = NO_FAULTS;
    this.#transient.loss = 0;
    this.#transient.duplication = 0;
    for (const node of this.#nodes) {
      Object.assign(node.time, { offsetMs: 0, drift: 1, frozenUntil: 0 });
      node.disk.faults = NO_DISK_FAULTS;
      node.disk.failingReads = 0;
      node.start();
    }
    const from = Math.max(0, ...this.#invariants.told.values());
    const end = this.#queue.now + PEACE_MS;
    let state = 'nothing heard';
    while (this.#queue.now < end && this.#violation === undefined) {
      for (const node of this.#nodes) node.start();
      if (this.#queue.now < end - PEACE_MS / 2) this.#submit(this.#random.below(this.#nodes.length));
      await this.#pass(1_000);
      const seen = await this.#look();
      if (seen === undefined) continue;
      state = seen.map(({ height, waiting }, index) => `${index}: ${height}, ${waiting} waiting`).join('; ');
      const heights = new Set(seen.map(({ height }) => height));
      if (heights.size === 1 && seen.every(({ height, waiting }) => height >= from + 2 && waiting === 0)) {
        await this.#checkDurability();
        return;
      }
    }
    if (this.#violation === undefined) broken('liveness', `${PEACE_MS} ms after the heal, from ${from}: ${state}`);
  }

  async #look(): Promise<{ readonly height: number; readonly waiting: number }[] | undefined> {
    const answers = this.#nodes.map(async (node) => {
      const { height } = await node.use(Chain).tip({});
      const { count } = await node.use(TxPool).status({});
      return { height, waiting: count };
    });
    return this.#settle(Promise.all(answers));
  }

  /** Waits in simulated time. Undefined where it fails for now. */
  async #settle<T>(promise: Promise<T>): Promise<T | undefined> {
    let outcome: { readonly value: T | undefined } | undefined;
    promise.then(
      (value) => (outcome = { value }),
      () => (outcome = { value: undefined }),
    );
    await this.#pass(30_000, () => outcome !== undefined);
    return outcome?.value;
  }

  /** Everything that anybody was told as committed is on every node, at the height that was told. */
  async #checkDurability(): Promise<void> {
    const acknowledged = [...this.#invariants.acknowledged];
    const ids = acknowledged.map(([id]) => Uint8Array.from(Buffer.from(id, 'hex')));
    for (const node of this.#nodes) {
      const found = await this.#settle(node.use(Chain).locate({ ids }));
      if (found === undefined) broken('liveness', `node ${node.index} does not answer in peace`);
      acknowledged.forEach(([id, height], index) => {
        const at = found.transactions[index]?.location?.height;
        if (at !== height)
          broken('durability', `node ${node.index} has ${id.slice(0, 12)} at ${at ?? 'no height'}, told at ${height}`);
      });
    }
  }

  #watch(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(thrown(error, 'an invariant'));
    }
  }

  #note(node: number, kind: number, value: number): void {
    this.#hash.add(Math.round(this.#queue.now * 1_000));
    this.#hash.add(node * 16 + kind);
    this.#hash.add(value);
  }

  #say(node: number, what: string): void {
    this.#options.trace?.(`${this.#queue.now.toFixed(1).padStart(9)} ${node < 0 ? '-' : node} ${what}`);
  }
}

/** Lets promises settle until nothing but time can move them. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
