import {
  Chain,
  Consensus,
  Genesis,
  isItChainError,
  networkOf,
  noticeAddress,
  P2p,
  PEER_KINDS,
  sameBytes,
  toHex,
  TxPool,
  type ChainTip,
} from '@it-chain/contracts';
import { broken, thrown, type InvariantViolation } from '../invariants.js';
import type { Message } from '../machine.js';
import { TraceHash } from '../trace.js';
import type { Speech } from './liar.js';
import { NodeClient, OPERATORS_MS } from './node-client.js';
import { NodeInvariants } from './node-invariants.js';
import { NODE_CHAOS_MS, nodePlanOf, type NodePlan, type NodeRunOptions } from './node-plan.js';
import { NodeStage, type NodesUnderTest } from './node-stage.js';
import { Passage } from './passage.js';
import type { SimulatedNode } from './simulated-node.js';

/** The limit for peace, in simulated ms. */
const PEACE_MS = 90_000;
/** The limit for the founding of a network and for all its nodes to be members, in simulated ms. */
const FOUNDING_MS = 60_000;

/** What became of it. */
export interface NodeRunReport {
  readonly seed: number;
  readonly plan: NodePlan;
  readonly violation: InvariantViolation | undefined;
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly messages: number;
  /** Messages that a Byzantine node changed, kept back or made up, and contradictions of twins. */
  readonly lies: number;
  /** Proofs of equivocation that correct nodes have come by. */
  readonly evidence: number;
  /** Validators of the largest set. */
  readonly validators: number;
  /** Validators of the last set. */
  readonly validatorsAtEnd: number;
  readonly height: number;
}

/** Runs one seed: nodes found and join a network, trouble, then peace. */
export async function runNodes(under: NodesUnderTest, options: NodeRunOptions): Promise<NodeRunReport> {
  const simulation = new NodeSimulation(under, options);
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
  readonly #plan: NodePlan;
  readonly #stage: NodeStage;
  readonly #time: Passage;
  readonly #speech: Speech;
  readonly #client: NodeClient;
  readonly #invariants = new NodeInvariants();
  readonly #hash = new TraceHash();
  #network: Uint8Array | undefined;
  #evidence = 0;
  #violation: InvariantViolation | undefined;

  constructor(under: NodesUnderTest, options: NodeRunOptions) {
    this.#options = options;
    this.#plan = nodePlanOf(options);
    this.#stage = new NodeStage(options.seed, this.#plan, under, {
      onVote: ({ index }, slot, digest) => this.#onVote(index, slot, digest),
      onFatal: (node, kind, error) => this.#onFatal(node, kind, error),
      onStarted: (node) => void this.#onStarted(node),
      say: (node, what) => this.#say(node.index, what),
      onSaid: (kind, body) => this.#onSaid(kind, body),
    });
    this.#speech = under.speech;
    this.#time = new Passage(this.#stage.queue, () => this.#violation !== undefined);
    this.#client = new NodeClient({
      nodes: this.#stage.nodes,
      founders: this.#plan.founders,
      queue: this.#stage.queue,
      network: () => this.#network,
      isCorrect: (index) => this.#stage.isCorrect(index),
      onSubmitted: (id) => this.#invariants.onSubmitted(id),
      fail: (violation) => this.fail(violation),
      say: (node, what) => this.#say(node, what),
    });
  }

  #onSaid(kind: string, body: Uint8Array): void {
    const network = this.#network;
    if (kind !== PEER_KINDS.consensus || network === undefined) return;
    let content: Message | undefined;
    try {
      content = this.#speech.decode(body)?.content;
    } catch (error) {
      // What a liar says need not be a message.
      if (!isItChainError(error)) throw error;
    }
    if (content !== undefined) this.#watch(() => this.#invariants.onMessage(network, content));
  }

  #onEvidence(node: SimulatedNode, publicKey: Uint8Array): void {
    const accused = this.#stage.nodes.find((one) => sameBytes(one.publicKey, publicKey));
    this.#say(node.index, `has evidence against ${accused?.name ?? 'nobody known'}`);
    this.#evidence += 1;
    if (accused !== undefined && this.#stage.isCorrect(accused.index))
      this.#watch(() => this.#invariants.onEvidence(node.index, accused.name));
  }

  #onVote(index: number, slot: string, digest: string): void {
    this.#note(index, 1, slot.length);
    if (this.#stage.isCorrect(index)) this.#watch(() => this.#invariants.onVote(index, slot, digest));
    else this.#stage.onTwinVote(index, slot, digest);
  }

  #onFatal(node: SimulatedNode, kind: string, error: Error): void {
    this.#say(node.index, `ends: ${kind}, ${error.message}`);
    if ((kind === 'safety' || kind === 'damaged') && this.#stage.isCorrect(node.index))
      this.fail(thrown(error, `node ${node.index} ended itself as ${kind}`));
    // After the present turn: a process ends where it stands.
    this.#stage.queue.after(0, () => node.crash());
  }

  fail(violation: InvariantViolation): void {
    this.#violation ??= violation;
  }

  /** Nothing of this run happens any more. */
  end(): void {
    this.#stage.end();
  }

  report(): NodeRunReport {
    const { queue, board, lies } = this.#stage;
    return {
      seed: this.#options.seed,
      plan: this.#plan,
      violation: this.#violation,
      traceHash: this.#hash.value,
      simulatedMs: Math.round(queue.now),
      steps: queue.steps,
      messages: board.messages,
      lies,
      evidence: this.#evidence,
      validators: this.#invariants.largestSet,
      validatorsAtEnd: this.#invariants.lastSet.size,
      height: Math.max(0, ...this.#invariants.told.values()),
    };
  }

  async run(): Promise<void> {
    await this.#found();
    const begun = this.#stage.queue.now;
    const chaosMs = this.#options.chaosMs ?? NODE_CHAOS_MS;
    this.#stage.begin();
    this.#operate();
    for (const action of this.#plan.actions) {
      await this.#time.pass(begun + action.at - this.#stage.queue.now);
      if (this.#violation !== undefined) return;
      this.#say(-1, JSON.stringify(action));
      this.#stage.perform(action, this.#client);
    }
    await this.#time.pass(begun + chaosMs - this.#stage.queue.now);
    await this.#peace();
  }

  /** The first node founds the network, the other founders join it one after the other; late ones are up and wait. */
  async #found(): Promise<void> {
    const { founders } = this.#plan;
    const [first, ...others] = this.#stage.nodes.slice(0, founders);
    if (first === undefined) return;
    this.#stage.startAll();
    await this.#time.pass(500);
    await this.#ask('found the network', async () => {
      const { genesis } = await first.use(P2p).found({});
      if (genesis !== undefined) this.#network = networkOf(Genesis.decode(genesis));
    });
    for (const node of others) {
      await this.#ask('join', async () => {
        await node.use(P2p).join({ address: 'node-0:7000' });
      });
    }
    if (this.#plan.grown) await this.#grow(first, founders);
  }

  /** Lets a network without troubles grow until all founders are validators; of two, skip-two makes one. */
  async #grow(first: SimulatedNode, founders: number): Promise<void> {
    const goal = founders === 2 ? 1 : founders;
    for (const end = this.#stage.queue.now + FOUNDING_MS; this.#violation === undefined;) {
      const tip = await this.#time.wait(first.use(Chain).tip({}));
      const members = (tip?.validators.validators.length ?? 0) + (tip?.learners.length ?? 0);
      if (tip?.validators.validators.length === goal && members === founders) return;
      if (this.#stage.queue.now >= end) broken('liveness', `the ${founders} founders are not all members in peace`);
      this.#client.put(0);
      await this.#time.pass(1_000);
    }
  }

  /** Operators look after their nodes from now on, one look after the other. */
  #operate(): void {
    this.#client.look().then(
      () => this.#stage.queue.after(OPERATORS_MS, () => this.#operate()),
      (error: unknown) => this.fail(thrown(error, 'an operator')),
    );
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
      await this.#time.pass(30_000, () => state !== 'waiting');
      if ((state as string) === 'done' || this.#violation !== undefined) return;
      await this.#time.pass(500);
    }
    broken('liveness', `a client could not ${what} in peace`);
  }

  async #onStarted(node: SimulatedNode): Promise<void> {
    const { bus } = node;
    if (bus === undefined || !this.#stage.isCorrect(node.index)) return;
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
      const { evidence } = Consensus.events;
      await bus.subscribe([noticeAddress(evidence)], async (message) => {
        this.#onEvidence(node, evidence.body.decode(message.body).publicKey);
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

  async #peace(): Promise<void> {
    this.#say(-1, 'peace');
    this.#stage.heal();
    const { correct, queue, random } = this.#stage;
    const from = Math.max(0, ...this.#invariants.told.values());
    const end = queue.now + PEACE_MS;
    let state = 'nothing heard';
    while (queue.now < end && this.#violation === undefined) {
      this.#stage.startAll();
      if (queue.now < end - PEACE_MS / 2) this.#client.put(random.below(this.#plan.nodes));
      await this.#time.pass(1_000);
      const seen = await this.#look(correct);
      if (seen === undefined) continue;
      state = seen.map(({ index, height, waiting }) => `${index}: ${height}, ${waiting} waiting`).join('; ');
      const heights = new Set(seen.map(({ height }) => height));
      const isLive = seen.every(({ height, waiting }) => height >= from + 2 && waiting === 0);
      if (heights.size === 1 && isLive && this.#client.waiting === 0) {
        await this.#checkDurability(correct);
        return;
      }
    }
    if (this.#violation !== undefined) return;
    const joining = this.#client.waiting === 0 ? '' : `; ${this.#client.waiting} nodes are no members yet`;
    broken('liveness', `${PEACE_MS} ms after the heal, from ${from}: ${state}${joining}`);
  }

  async #look(
    nodes: readonly SimulatedNode[],
  ): Promise<{ readonly index: number; readonly height: number; readonly waiting: number }[] | undefined> {
    const answers = nodes.map(async (node) => {
      const { height } = await node.use(Chain).tip({});
      const { count } = await node.use(TxPool).status({});
      return { index: node.index, height, waiting: count };
    });
    return this.#time.wait(Promise.all(answers));
  }

  /** Everything that anybody was told as committed is on every node, at the height that was told. */
  async #checkDurability(nodes: readonly SimulatedNode[]): Promise<void> {
    const acknowledged = [...this.#invariants.acknowledged];
    const ids = acknowledged.map(([id]) => Uint8Array.from(Buffer.from(id, 'hex')));
    for (const node of nodes) {
      const found = await this.#time.wait(node.use(Chain).locate({ ids }));
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
    this.#hash.add(Math.round(this.#stage.queue.now * 1_000));
    this.#hash.add(node * 16 + kind);
    this.#hash.add(value);
  }

  #say(node: number, what: string): void {
    const lies = node >= 0 && !this.#stage.isCorrect(node) ? '!' : '';
    this.#options.trace?.(`${this.#stage.queue.now.toFixed(1).padStart(9)} ${node < 0 ? '-' : node}${lies} ${what}`);
  }
}
