import { EventQueue } from '../event-queue.js';
import { Links, NO_FAULTS } from '../links.js';
import { NO_DISK_FAULTS } from '../process.js';
import { Random } from '../random.js';
import type { Action } from '../schedule.js';
import { NODE_STRATEGIES } from '../strategies/index.js';
import { Liar, type Speech } from './liar.js';
import type { NodeClient } from './node-client.js';
import { identityOf, type NodeAction, type NodePlan } from './node-plan.js';
import { SimulatedNode, type NodeWorld, type SimulatedPlugin } from './simulated-node.js';
import { Switchboard } from './switchboard.js';
import { TwinSides } from './twin-sides.js';

const EPOCH_MS = 1_700_000_000_000;

/** What is simulated: the plugins of a run in the order of their roles, and how consensus writes its messages. */
export interface NodesUnderTest {
  /** Made for each run; what the plan leaves to them, such as `accuse`, is in their configs. */
  readonly plugins: (plan: NodePlan) => readonly SimulatedPlugin[];
  readonly speech: Speech;
}

/** What the nodes tell of themselves. */
export interface NodeWatch extends Pick<NodeWorld, 'onVote' | 'onFatal' | 'onStarted' | 'say'> {
  /** Something is said to peers, by whomever. */
  onSaid(kind: string, body: Uint8Array): void;
}

/** The nodes of a run, their links, disks and clocks, and what a schedule does to them. */
export class NodeStage {
  readonly queue = new EventQueue();
  readonly links: Links;
  readonly board: Switchboard;
  readonly random: Random;
  readonly nodes: SimulatedNode[] = [];
  readonly #plan: NodePlan;
  readonly #sides: TwinSides;
  #begun = false;
  readonly #transient = { loss: 0, duplication: 0 };
  /** Messages that a liar changed, kept back or made up, and votes of twins that contradict each other. */
  lies = 0;
  readonly #votesOfTwins = new Map<string, string>();

  constructor(seed: number, plan: NodePlan, { plugins, speech }: NodesUnderTest, watch: NodeWatch) {
    this.#plan = plan;
    const random = new Random(seed);
    this.random = random.fork(10);
    const processes = plan.nodes + plan.twins.length;
    this.links = new Links(processes, random.fork(1));
    const pairs = plan.twins.map((sibling, at) => [sibling, plan.nodes + at] as const);
    this.#sides = new TwinSides(processes, pairs, random.fork(12));
    this.board = new Switchboard(this.queue, this.links, {
      onSaid: (kind, body) => watch.onSaid(kind, body),
      mayMeet: (a, b) => this.#sides.mayMeet(a, b),
    });
    const world: NodeWorld = {
      queue: this.queue,
      board: this.board,
      epochMs: EPOCH_MS,
      plugins: plugins(plan),
      guard: plan.guard,
      transient: this.#transient,
      ...watch,
    };
    for (let index = 0; index < processes; index += 1) {
      this.nodes.push(new SimulatedNode({ index, identity: identityOf(plan, index) }, world, random.fork(100 + index)));
    }
    for (const [index, name] of Object.entries(plan.byzantine)) this.#corrupt(Number(index), name, speech, random);
  }

  #corrupt(index: number, name: string, speech: Speech, random: Random): void {
    // A twin needs no lie: two honest processes with one key contradict each other by themselves.
    if (this.#plan.twins.includes(index)) return;
    const strategy = NODE_STRATEGIES[name]?.();
    const node = this.nodes[index];
    if (node === undefined || strategy === undefined) throw new RangeError(`no strategy "${name}" for node ${index}`);
    node.liar = new Liar(index, strategy, {
      speech,
      secretKey: node.keys.secretKey,
      random: random.fork(200 + index),
      keys: this.nodes.map(({ publicKey }) => publicKey),
      isLying: () => this.#begun,
      did: () => (this.lies += 1),
    });
  }

  /** A process that need not be correct signs a vote: twins contradict each other without knowing. */
  onTwinVote(index: number, slot: string, digest: string): void {
    const key = `${identityOf(this.#plan, index)}/${slot}`;
    const before = this.#votesOfTwins.get(key);
    if (before === undefined) this.#votesOfTwins.set(key, digest);
    else if (before !== digest) this.lies += 1;
  }

  isCorrect(index: number): boolean {
    return this.#plan.byzantine[identityOf(this.#plan, index)] === undefined;
  }

  /** The nodes that must keep every promise. */
  get correct(): SimulatedNode[] {
    return this.nodes.filter(({ index }) => this.isCorrect(index));
  }

  /** The trouble begins: disks take their time, liars lie, and twins start on copies of the disks of their siblings. */
  begin(): void {
    for (const node of this.nodes) {
      node.disk.faults = { ...NO_DISK_FAULTS, maxMs: this.#plan.diskMs[node.index] ?? NO_DISK_FAULTS.maxMs };
    }
    this.#begun = true;
    this.#plan.twins.forEach((sibling, at) => {
      const [twin, first] = [this.nodes[this.#plan.nodes + at], this.nodes[sibling]];
      if (twin !== undefined && first !== undefined) twin.disk.memory.copyFrom(first.disk.memory);
    });
    this.#sides.begin(this.queue, this.board);
    this.startAll();
  }

  /** Does what an action says. */
  perform(action: NodeAction, client: NodeClient): void {
    switch (action.type) {
      case 'join-network':
        client.join(action.node, action.via);
        break;
      case 'leave-network':
        client.leave(action.node);
        break;
      case 'evict':
        client.evict(action.node);
        break;
      case 'submit':
        for (const index of action.nodes.length === 0 ? this.nodes.keys() : action.nodes) client.put(index);
        break;
      default:
        this.#trouble(action);
    }
  }

  #trouble(action: Exclude<Action, { type: 'submit' }>): void {
    const node = 'node' in action ? this.nodes[action.node] : undefined;
    switch (action.type) {
      case 'links':
        this.links.faults = action.faults;
        this.#transient.loss = action.faults.loss / 10;
        this.#transient.duplication = action.faults.duplication / 10;
        break;
      case 'partition':
        this.links.partition(action.groups);
        this.board.noticeCuts();
        break;
      case 'cut':
        this.links.join();
        for (const [from, to] of action.links) this.links.cut(from, to);
        this.board.noticeCuts();
        break;
      case 'join':
        this.links.join();
        break;
      case 'sessions':
        this.board.breakSessions(this.random);
        break;
      case 'crash':
        // Some steps later, so that it falls into whatever the node is about.
        if (node !== undefined) this.queue.after(action.afterEffects / 2, () => node.crash());
        break;
      case 'start':
        this.queue.after(20, () => node?.start());
        break;
      case 'power-cut':
        for (const one of this.nodes) one.crash();
        break;
      case 'power-on':
        this.startAll();
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
        if (node !== undefined) node.time.slowMs = action.ms;
        break;
      case 'freeze':
        if (node !== undefined) node.time.frozenUntil = this.queue.now + action.ms;
        break;
    }
  }

  /** Peace: nothing is lost, late, slow or wrong any more, and every node is up. Liars go on lying. */
  heal(): void {
    this.links.join();
    this.links.faults = NO_FAULTS;
    this.#transient.loss = 0;
    this.#transient.duplication = 0;
    for (const node of this.nodes) {
      Object.assign(node.time, { offsetMs: 0, drift: 1, frozenUntil: 0, slowMs: 0 });
      node.disk.faults = NO_DISK_FAULTS;
      node.disk.failingReads = 0;
    }
    this.startAll();
  }

  startAll(): void {
    for (const node of this.#begun ? this.nodes : this.nodes.slice(0, this.#plan.nodes)) node.start();
  }

  /** Nothing of this run happens any more. */
  end(): void {
    for (const node of this.nodes) node.crash();
  }
}
