import { majorityOf, sha256, toHex, utf8, type Block, type Certificate, type ChainTip } from '@it-chain/contracts';
import { EventQueue, Random } from '@it-chain/testkit';
import {
  createState,
  step,
  type RaftEffect,
  type RaftInput,
  type RaftMessage,
  type RaftRecord,
  type RaftState,
  type RaftTimer,
} from '@it-chain/plugin-raft';

const TIMES = { electionMs: 300, staggerMs: 150, maxElectionMs: 3_000, resendMs: 60 };

/** What may go wrong on the way, and how often. */
export interface Faults {
  readonly loss: number;
  readonly duplicate: number;
  readonly maxDelayMs: number;
}

/** One node: what survives a crash, and what does not. */
export interface SimulatedNode {
  readonly key: string;
  /** Committed blocks from height 1 on, with their certificates. */
  readonly blocks: { readonly block: Block; readonly certificate: Certificate }[];
  readonly disk: RaftRecord[];
  /** The signing guard: one digest for a height and round. */
  readonly guard: Map<string, string>;
  state: RaftState | undefined;
  /** Grows with every crash: what was under way before is of another life. */
  life: number;
  timers: Map<RaftTimer, number>;
}

const keyOf = (index: number): string => toHex(sha256(utf8(`node ${index}`)));
const signatureOf = (key: string, height: number, round: number, digest: string): Uint8Array => {
  const half = sha256(utf8(`${key}/${height}/${round}/${digest}`));
  return new Uint8Array([...half, ...half]);
};

/** Nodes on simulated time: a run is a function of its seed. Safety is checked at every commit. */
export class RaftSimulation {
  readonly queue = new EventQueue();
  readonly random: Random;
  readonly nodes: SimulatedNode[];
  /** Pairs that do not hear each other: `a>b`. */
  readonly cut = new Set<string>();
  readonly decided = new Map<number, string>();
  faults: Faults = { loss: 0, duplicate: 0, maxDelayMs: 10 };
  pooled = true;
  /** Steps of machines so far. */
  steps = 0;
  /** False lets a test look at what a broken agreement does. */
  checkAgreement = true;
  #blocks = 0;

  constructor(
    readonly seed: number,
    count: number,
  ) {
    this.random = new Random(seed);
    this.nodes = Array.from({ length: count }, (_, index) => ({
      key: keyOf(index),
      blocks: [],
      disk: [],
      guard: new Map(),
      state: undefined,
      life: 0,
      timers: new Map(),
    }));
  }

  start(): this {
    for (const node of this.nodes) this.restart(node);
    return this;
  }

  crash(node: SimulatedNode): void {
    node.state = undefined;
    node.life += 1;
    node.timers = new Map();
  }

  restart(node: SimulatedNode): void {
    if (node.state !== undefined) return;
    node.state = createState({ ...TIMES, self: node.key, leaderTerm: 0 });
    const records = node.disk.filter(({ height }) => height === node.blocks.length + 1);
    this.input(node, { type: 'start', tip: this.tipOf(node), records });
    for (const other of this.nodes) {
      if (other === node || other.state === undefined) continue;
      this.input(node, { type: 'connected', peer: other.key });
      this.input(other, { type: 'connected', peer: node.key });
    }
    this.input(node, { type: 'work', pooled: this.pooled, leaderDown: false });
  }

  /** Puts nodes into groups that do not hear each other; no groups heals everything. */
  partition(...groups: readonly (readonly SimulatedNode[])[]): void {
    this.cut.clear();
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue;
        for (const a of group) for (const b of other) this.cut.add(`${a.key}>${b.key}`);
      }
    }
  }

  /** Lets events happen until `done` or for `ms`. True where it is done. */
  run(ms: number, done: () => boolean = () => false): boolean {
    const end = this.queue.now + ms;
    while (!done() && this.queue.step(end));
    return done();
  }

  get heights(): number[] {
    return this.nodes.map(({ blocks }) => blocks.length);
  }

  get running(): SimulatedNode[] {
    return this.nodes.filter(({ state }) => state !== undefined);
  }

  tipOf({ blocks }: SimulatedNode): ChainTip {
    const validators = { validators: this.nodes.map(({ key }, sequence) => ({ publicKey: bytesOf(key), sequence })) };
    const last = blocks.at(-1);
    const proposer = last === undefined ? keyOf(0) : proposerOf(last.block);
    return {
      network: new Uint8Array(32),
      height: blocks.length,
      digest: last === undefined ? new Uint8Array(32) : bytesOf(digestOf(last.block)),
      stateRoot: new Uint8Array(32),
      rootCertified: true,
      time: blocks.length,
      proposer: bytesOf(proposer),
      proposerSequence: this.nodes.findIndex(({ key }) => key === proposer),
      validators,
      nextValidators: validators,
      learners: [],
      systemRoot: new Uint8Array(32),
      applicationRoot: new Uint8Array(32),
    };
  }

  /** A block that nobody else has made. */
  newBlock(node: SimulatedNode): Block {
    return { header: utf8(JSON.stringify({ proposer: node.key, number: (this.#blocks += 1) })), transactions: [] };
  }

  input(node: SimulatedNode, input: RaftInput): void {
    const { state } = node;
    if (state === undefined) return;
    this.steps += 1;
    for (const effect of step(state, input)) this.#apply(node, effect);
  }

  /** Something for a node in a while, unless it has crashed until then. */
  later(node: SimulatedNode, ms: number, run: () => void): void {
    const { life } = node;
    this.queue.after(ms, () => {
      if (node.life === life && node.state !== undefined) run();
    });
  }

  #apply(node: SimulatedNode, effect: RaftEffect): void {
    switch (effect.type) {
      case 'write':
        this.#write(node, effect.record);
        break;
      case 'send':
        for (const to of effect.to) this.post(node, to, effect.message);
        break;
      case 'set-timer':
        this.#setTimer(node, effect.timer, effect.ms);
        break;
      case 'clear-timer':
        node.timers.delete(effect.timer);
        break;
      case 'build':
        this.later(node, 2, () => {
          const { height, round } = effect;
          const block = this.newBlock(node);
          if (height === node.blocks.length + 1) {
            this.input(node, { type: 'built', height, round, block, digest: digestOf(block) });
          } else this.input(node, { type: 'built', height, round });
        });
        break;
      case 'check':
        this.later(node, 2, () => {
          const { height, round, digest, block } = effect;
          this.input(node, { type: 'checked', height, round, digest, valid: digestOf(block) === digest });
        });
        break;
      case 'decide': {
        const { block, certificate } = effect;
        if (block !== undefined) this.later(node, 1, () => this.commit(node, block, certificate));
        break;
      }
      case 'sync':
        this.#sync(node, effect.peer);
        break;
      case 'round':
        break;
    }
  }

  /** A write that a crash may cut off. */
  #write(node: SimulatedNode, record: RaftRecord): void {
    this.later(node, 1, () => {
      node.disk.push(record);
      const { height, round } = record;
      if (record.kind === 'vote') {
        this.input(node, { type: 'written', record, signature: new Uint8Array(64) });
        return;
      }
      const signed = node.guard.get(`${height}/${round}`);
      if (signed !== undefined && signed !== record.digest)
        throw new Error(`${this.where} the guard was asked to sign twice`);
      node.guard.set(`${height}/${round}`, record.digest);
      this.input(node, { type: 'written', record, signature: signatureOf(node.key, height, round, record.digest) });
    });
  }

  /** Sends a message over the network with its faults. */
  post(from: SimulatedNode, to: string, message: RaftMessage): void {
    const { loss, duplicate, maxDelayMs } = this.faults;
    const copies = this.random.chance(loss) ? 0 : this.random.chance(duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delay = 1 + this.random.below(maxDelayMs);
      this.queue.after(delay, () => {
        const target = this.nodes.find(({ key }) => key === to);
        if (target === undefined || this.cut.has(`${from.key}>${to}`) || !this.#isSound(from.key, message)) return;
        this.input(target, { type: 'message', from: from.key, message });
      });
    }
  }

  /** What the driver verifies before the machine hears of it. */
  #isSound(from: string, message: RaftMessage): boolean {
    if (message.kind === 'ack') {
      const { height, round, digest, signature } = message;
      return toHex(signature) === toHex(signatureOf(from, height, round, digest));
    }
    return message.kind !== 'decided' || this.isCertified(message.certificate);
  }

  isCertified({ height, round, digest, seals }: Certificate): boolean {
    const valid = seals.filter(({ validator, signature }) => {
      const key = this.nodes[validator]?.key ?? '';
      return toHex(signature) === toHex(signatureOf(key, height, round, toHex(digest)));
    });
    return new Set(valid.map(({ validator }) => validator)).size >= majorityOf(this.nodes.length);
  }

  #setTimer(node: SimulatedNode, timer: RaftTimer, ms: number): void {
    const ticket = this.random.below(2 ** 30);
    node.timers.set(timer, ticket);
    this.later(node, ms, () => {
      if (node.timers.get(timer) !== ticket) return;
      node.timers.delete(timer);
      this.input(node, { type: 'timeout', timer });
    });
  }

  #sync(node: SimulatedNode, peer: string): void {
    this.later(node, 5, () => {
      const source = this.nodes.find(({ key }) => key === peer);
      if (source?.state === undefined || this.cut.has(`${peer}>${node.key}`)) return;
      for (const { block, certificate } of source.blocks.slice(node.blocks.length)) {
        if (this.isCertified(certificate)) this.commit(node, block, certificate);
      }
    });
  }

  commit(node: SimulatedNode, block: Block, certificate: Certificate): void {
    if (certificate.height !== node.blocks.length + 1) return;
    const digest = digestOf(block);
    if (digest !== toHex(certificate.digest) || !this.isCertified(certificate)) {
      throw new Error(`${this.where} a block without a valid certificate was to be committed`);
    }
    const other = this.decided.get(certificate.height);
    if (this.checkAgreement && other !== undefined && other !== digest) {
      throw new Error(
        `${this.where} two blocks were committed at height ${certificate.height}: ${other} and ${digest}`,
      );
    }
    this.decided.set(certificate.height, digest);
    node.blocks.push({ block, certificate });
    this.input(node, { type: 'committed', tip: this.tipOf(node) });
    this.input(node, { type: 'work', pooled: this.pooled, leaderDown: false });
  }

  /** For messages: how to see it again. */
  get where(): string {
    return `seed ${this.seed} (RAFT_SEED=${this.seed} runs it alone), at ${this.queue.now} ms:`;
  }
}

export const digestOf = ({ header }: Block): string => toHex(sha256(header));
const proposerOf = ({ header }: Block): string =>
  (JSON.parse(Buffer.from(header).toString()) as { proposer: string }).proposer;
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
export { signatureOf };
