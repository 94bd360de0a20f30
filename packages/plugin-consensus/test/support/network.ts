import { quorumOf, sameBytes, toHex, utf8, type Block, type Certificate, type ChainTip } from '@it-chain/contracts';
import type { Effect, Input, LogRecord, TimerName } from '../../dist/machine/interface.js';
import { step } from '../../dist/machine/machine.js';
import { decodeMessage, encodeMessage, type ConsensusMessage, type SignedVote } from '../../dist/machine/messages.js';
import { createState, type State } from '../../dist/machine/state.js';
import {
  blockOn,
  digestOf,
  genesisTip,
  isValidBody,
  keyOf,
  NETWORK,
  optionsOf,
  signRecord,
  tipAfter,
} from './fixtures.js';
import { Random } from './random.js';

/** How a Byzantine node changes what it sends. Returns what each receiver gets. */
export type Strategy = (
  node: TestNode,
  content: ConsensusMessage,
  to: number,
  network: TestNetwork,
) => readonly ConsensusMessage[];

export interface Faults {
  readonly loss: number;
  readonly duplication: number;
  readonly maxDelayMs: number;
}

const NO_FAULTS: Faults = { loss: 0, duplication: 0, maxDelayMs: 10 };

interface Committed {
  readonly block: Block;
  readonly certificate: Certificate;
}

export interface TestNode {
  readonly index: number;
  state: State;
  /** What is on disk. */
  log: LogRecord[];
  chain: Committed[];
  tips: ChainTip[];
  alive: boolean;
  /** Restarts so far: what was under way before a crash is void. */
  life: number;
  timers: Map<TimerName, number>;
  outbox: Extract<Effect, { type: 'sign' }>[];
  outboxBusy: boolean;
  strategy: Strategy | undefined;
  /** Transactions that wait here. */
  pool: Set<string>;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Machines over an unreliable network, on simulated time, with the safety invariants checked after every step. */
export class TestNetwork {
  readonly random: Random;
  readonly nodes: TestNode[] = [];
  faults: Faults = NO_FAULTS;
  now = 0;
  evidence = 0;
  messages = 0;
  /** Digest committed first at each height, by anybody. */
  readonly decided = new Map<number, string>();
  #events: Event[] = [];
  #order = 0;
  #salt = 0;
  readonly #cut = new Set<string>();
  readonly #commits = new Map<string, Set<string>>();
  readonly #signed = new Map<string, string>();
  readonly #roundChanged = new Map<string, number>();

  constructor(
    readonly n: number,
    readonly seed: number,
    /** Validators at the start; the others follow until a transaction makes them members. */
    readonly founders = n,
  ) {
    this.random = new Random(seed);
    for (let index = 0; index < n; index += 1) {
      this.nodes.push({
        index,
        state: createState(optionsOf(index)),
        log: [],
        chain: [],
        tips: [genesisTip(founders)],
        alive: false,
        life: 0,
        timers: new Map(),
        outbox: [],
        outboxBusy: false,
        strategy: undefined,
        pool: new Set(),
      });
    }
  }

  node(index: number): TestNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  tip(node: TestNode): ChainTip {
    const tip = node.tips.at(-1);
    if (tip === undefined) throw new Error('no tip');
    return tip;
  }

  startAll(): void {
    for (const node of this.nodes) this.start(node);
  }

  start(node: TestNode): void {
    node.alive = true;
    node.life += 1;
    node.state = createState(optionsOf(node.index));
    node.timers.clear();
    node.outbox = [];
    node.outboxBusy = false;
    const tip = this.tip(node);
    const records = node.log.filter(({ message }) => message.vote.height > tip.height);
    this.input(node, { type: 'start', tip, records });
    for (const other of this.nodes) {
      if (other !== node) this.input(node, { type: 'connected', peer: keyOf(other.index) });
    }
    this.#tellWork(node);
  }

  crash(node: TestNode): void {
    node.alive = false;
    node.life += 1;
    node.timers.clear();
    node.outbox = [];
  }

  submit(id: string): void {
    for (const node of this.nodes) {
      node.pool.add(id);
      if (node.alive) this.#tellWork(node);
    }
  }

  /** Cuts every link between the groups. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.#cut.clear();
    groups.forEach((group, at) => {
      groups.forEach((other, elsewhere) => {
        if (at !== elsewhere) for (const a of group) for (const b of other) this.#cut.add(`${a}>${b}`);
      });
    });
  }

  heal(): void {
    this.#cut.clear();
    this.faults = NO_FAULTS;
  }

  /** Runs until nothing is left to do before `until`, or `done` says so. */
  run(ms: number, done: () => boolean = () => false): void {
    const end = this.now + ms;
    while (!done()) {
      const next = this.#events[0];
      if (next === undefined || next.at > end) {
        this.now = end;
        return;
      }
      this.#pop();
      this.now = next.at;
      next.run();
    }
  }

  input(node: TestNode, input: Input): void {
    if (!node.alive) return;
    for (const effect of step(node.state, input)) this.#apply(node, effect);
  }

  after(ms: number, run: () => void): void {
    this.#push({ at: this.now + ms, order: this.#order++, run });
  }

  /** Sends as `node`; loss, duplication, delay and cuts happen here. */
  deliver(node: TestNode, to: number, content: ConsensusMessage, attempt: number): void {
    this.messages += 1;
    this.#note(node, content);
    const copies = this.random.chance(this.faults.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#cut.has(`${node.index}>${to}`) || this.random.chance(this.faults.loss)) continue;
      const encoded = encodeMessage(content, NETWORK, attempt);
      const target = this.node(to);
      const { life } = target;
      this.after(1 + this.random.below(this.faults.maxDelayMs), () => {
        if (target.life !== life) return;
        const received = decodeMessage(encoded);
        if (received === undefined) throw new Error('a message got lost in its encoding');
        this.input(target, { type: 'message', from: keyOf(node.index), content: received.content, attempt });
      });
    }
  }

  #apply(node: TestNode, effect: Effect): void {
    switch (effect.type) {
      case 'sign':
        node.outbox.push(effect);
        this.#pump(node);
        break;
      case 'send':
        for (const to of effect.to) this.#send(node, this.#indexOf(to), effect.content, effect.attempt);
        break;
      case 'send-decided':
        node.chain.slice(effect.from - 1, effect.from - 1 + effect.count).forEach((committed) => {
          this.#send(node, this.#indexOf(effect.to), { kind: 'decided', ...committed }, 0);
        });
        break;
      case 'set-timer':
        this.#setTimer(node, effect);
        break;
      case 'clear-timer':
        node.timers.delete(effect.timer);
        break;
      case 'build':
        this.#build(node, effect.height, effect.round);
        break;
      case 'check':
        this.#later(node, () => {
          const verdict = isValidBody(effect.block) ? 'valid' : 'invalid';
          this.input(node, { type: 'checked', check: effect.check, verdict });
        });
        break;
      case 'decide':
        this.#later(node, () => {
          this.#commit(node, effect.block, effect.certificate);
        });
        break;
      case 'sync':
        this.#sync(node, this.#indexOf(effect.peer));
        break;
      case 'evidence':
        this.evidence += 1;
        this.#checkEvidence(effect.first, effect.second);
        break;
      case 'violation':
        throw new Error(`seed ${this.seed}: violation at height ${effect.height}`);
      case 'audit':
      case 'round':
        break;
    }
  }

  /** One record at a time: written, then sent, then counted. A crash may fall before or after the write. */
  #pump(node: TestNode): void {
    if (node.outboxBusy) return;
    const next = node.outbox.shift();
    if (next === undefined) return;
    node.outboxBusy = true;
    this.#later(node, () => {
      const record = signRecord(next.record);
      node.log = [...node.log.filter(({ message }) => message.vote.height >= record.message.vote.height), record];
      this.#later(node, () => {
        for (const to of next.to) this.#send(node, this.#indexOf(to), record.message, 0);
        this.#note(node, record.message);
        this.input(node, { type: 'signed', record });
        node.outboxBusy = false;
        this.#pump(node);
      });
    });
  }

  #send(node: TestNode, to: number, content: ConsensusMessage, attempt: number): void {
    const contents = node.strategy === undefined ? [content] : node.strategy(node, content, to, this);
    for (const one of contents) this.deliver(node, to, one, attempt);
  }

  #later(node: TestNode, run: () => void): void {
    const { life } = node;
    this.after(this.random.below(3), () => {
      if (node.alive && node.life === life) run();
    });
  }

  #setTimer(node: TestNode, effect: Extract<Effect, { type: 'set-timer' }>): void {
    const order = this.#order;
    node.timers.set(effect.timer, order);
    const { life } = node;
    const drift = 1 + (this.random.next() - 0.5) / 10;
    this.after(effect.ms * drift, () => {
      if (node.life !== life || node.timers.get(effect.timer) !== order) return;
      node.timers.delete(effect.timer);
      this.input(node, { type: 'timeout', timer: effect.timer, height: effect.height, round: effect.round });
    });
  }

  #build(node: TestNode, height: number, round: number): void {
    this.#later(node, () => {
      const tip = this.tip(node);
      if (tip.height + 1 !== height) return;
      this.#salt += 1;
      const block = blockOn(tip, node.index, this.#salt, [...node.pool].slice(0, 3).map(utf8));
      this.input(node, { type: 'built', height, round, block, digest: digestOf(block) });
    });
  }

  #commit(node: TestNode, block: Block, certificate: Certificate): void {
    const tip = this.tip(node);
    if (certificate.height !== tip.height + 1) return;
    if (!isValidBody(block)) {
      this.input(node, { type: 'decide-failed', height: certificate.height });
      return;
    }
    this.#checkAgreement(certificate);
    node.chain.push({ block, certificate });
    for (const transaction of block.transactions) node.pool.delete(Buffer.from(transaction).toString());
    const next = tipAfter(tip, block);
    node.tips.push(next);
    this.input(node, { type: 'committed', tip: next });
    this.#tellWork(node);
  }

  #tellWork(node: TestNode): void {
    this.input(node, { type: 'work', pooled: node.pool.size > 0, leaderDown: false });
  }

  #sync(node: TestNode, from: number): void {
    const source = this.node(from);
    if (!source.alive || this.#cut.has(`${from}>${node.index}`)) return;
    this.#later(node, () => {
      for (const { block, certificate } of source.chain.slice(this.tip(node).height)) {
        this.#commit(node, block, certificate);
      }
    });
  }

  #checkAgreement(certificate: Certificate): void {
    const digest = toHex(certificate.digest);
    const known = this.decided.get(certificate.height);
    if (known !== undefined && known !== digest)
      throw new Error(`seed ${this.seed}: agreement broken at ${certificate.height}`);
    this.decided.set(certificate.height, digest);
  }

  /** oneCertificate over every message ever sent, noDoubleSign over every message of a correct node. */
  #note(node: TestNode, content: ConsensusMessage): void {
    if (!('vote' in content)) return;
    const { type, height, round, digest, signer } = content.vote;
    const value = toHex(digest);
    if (type === 'commit') this.#noteCommit(height, round, value, toHex(signer));
    if (node.strategy !== undefined) return;
    const slot = `${node.index}/${type}/${height}/${round}`;
    const before = this.#signed.get(slot);
    if (before !== undefined && before !== value) throw new Error(`seed ${this.seed}: double sign of ${slot}`);
    this.#signed.set(slot, value);
    const above = `${node.index}/${height}`;
    if (type === 'round-change') this.#roundChanged.set(above, Math.max(round, this.#roundChanged.get(above) ?? 0));
    if (before === undefined && type === 'commit' && round < (this.#roundChanged.get(above) ?? 0)) {
      throw new Error(`seed ${this.seed}: node ${node.index} sent COMMIT ${round} after a higher ROUND_CHANGE`);
    }
  }

  #noteCommit(height: number, round: number, digest: string, signer: string): void {
    // V(height) as any node knows it: that they agree is checked by agreement.
    const set = this.nodes.find(({ tips }) => tips.length >= height)?.tips[height - 1]?.validators;
    if (set?.validators.some(({ publicKey }) => toHex(publicKey) === signer) !== true) return;
    const slot = `${height}/${round}/${digest}`;
    const signers = this.#commits.get(slot) ?? new Set<string>();
    this.#commits.set(slot, signers.add(signer));
    if (signers.size < quorumOf(set.validators.length)) return;
    const known = this.decided.get(height);
    if (known !== undefined && known !== digest) throw new Error(`seed ${this.seed}: two certificates at ${height}`);
    this.decided.set(height, digest);
  }

  #checkEvidence(first: SignedVote, second: SignedVote): void {
    if (this.node(this.#indexOf(first.signer)).strategy === undefined) {
      throw new Error(
        `seed ${this.seed}: evidence against a correct node, ${first.type} ${first.height}/${first.round}`,
      );
    }
    if (sameBytes(first.digest, second.digest)) throw new Error('evidence of nothing');
  }

  #indexOf(key: Uint8Array): number {
    return this.nodes.findIndex(({ index }) => sameBytes(keyOf(index), key));
  }

  // A binary heap by time, then by order.
  #push(event: Event): void {
    const heap = this.#events;
    heap.push(event);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent], heap[at])) break;
      swap(heap, at, parent);
      at = parent;
    }
  }

  #pop(): void {
    const heap = this.#events;
    swap(heap, 0, heap.length - 1);
    heap.pop();
    for (let at = 0; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child], heap[least])) least = child;
      }
      if (least === at) return;
      swap(heap, at, least);
      at = least;
    }
  }
}

function isBefore(a: Event | undefined, b: Event | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function swap(heap: Event[], a: number, b: number): void {
  const first = heap[a];
  const second = heap[b];
  if (first === undefined || second === undefined) return;
  heap[a] = second;
  heap[b] = first;
}
