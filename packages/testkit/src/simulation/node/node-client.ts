import {
  Chain,
  failure,
  isItChainError,
  keyPairFromSeed,
  KvOperation,
  P2p,
  sameBytes,
  sha256,
  signTransaction,
  transactionId,
  TxPool,
  utf8,
  type KeyPair,
  type Membership,
  type MembersAnswer,
} from '@it-chain/contracts';
import type { EventQueue } from '../event-queue.js';
import { thrown, type InvariantViolation } from '../invariants.js';
import type { SimulatedNode } from './simulated-node.js';

const KEYS = 20;
/** How long operators wait for an answer. */
const PATIENCE_MS = 5_000;
/** How often operators look at what they want, in simulated ms. */
export const OPERATORS_MS = 700;

/** What a client tells of what it does. */
export interface ClientPorts {
  readonly nodes: readonly SimulatedNode[];
  /** How many of them, the first, belong to the network from its founding on. */
  readonly founders: number;
  readonly queue: EventQueue;
  /** The network that was founded; nothing is submitted before. */
  network(): Uint8Array | undefined;
  /** True for a node whose operator keeps the rules. */
  isCorrect(index: number): boolean;
  onSubmitted(id: Uint8Array): void;
  fail(violation: InvariantViolation): void;
  say(node: number, what: string): void;
}

/** The people around a network: a client that puts values, and operators who join, leave, and vote others out. */
export class NodeClient {
  readonly #ports: ClientPorts;
  readonly #keys = keyPairFromSeed(sha256(utf8('simulated client')));
  readonly #joining = new Map<number, number>();
  readonly #evicting = new Set<number>();
  #transactions = 0;

  constructor(ports: ClientPorts) {
    this.#ports = ports;
  }

  /** Puts a value at one node; whether it was taken is for the node to say. */
  put(index: number): void {
    const number = this.#transactions + 1;
    const application = KvOperation.encode({
      put: { key: utf8(`key-${number % KEYS}`), value: utf8(`value-${number}`) },
      delete: undefined,
      compareAndSet: undefined,
    });
    this.#submit(index, this.#keys, { application });
  }

  /** The operator of a node wants it to be a member; tried until it is one. */
  join(index: number, via: number): void {
    this.#joining.set(index, via);
  }

  /** The operator of a node has it leave. */
  leave(index: number): void {
    this.#joining.delete(index);
    this.#asNode(index, { leave: {} });
  }

  /** The operators of all correct validators want a node out. */
  evict(index: number): void {
    this.#joining.delete(index);
    this.#evicting.add(index);
  }

  /** Nodes that still want to be members. */
  get waiting(): number {
    return this.#joining.size;
  }

  /** Operators look at their nodes and do what is missing to what they want. */
  async look(): Promise<void> {
    const voters =
      this.#evicting.size === 0 ? [] : this.#ports.nodes.filter(({ index }) => this.#ports.isCorrect(index));
    await Promise.all([
      ...[...this.#joining].map(([index, via]) => this.#tryJoin(index, via)),
      ...voters.map((node) => this.#voteAt(node)),
    ]);
  }

  async #tryJoin(index: number, via: number): Promise<void> {
    const node = this.#ports.nodes[index];
    if (node === undefined || (await this.#isMember(node)) || !node.alive) return;
    try {
      await this.#answer(node.use(P2p).join({ address: `node-${via}:7000` }));
    } catch (error) {
      this.#mayFail(index, error);
      // Whoever was asked may be down, or out of the network itself.
      if (this.#joining.has(index)) this.#joining.set(index, this.#next(index, via));
    }
  }

  /** Whether the chain of a node says that it is a member; then it is waited for no longer. */
  async #isMember(node: SimulatedNode): Promise<boolean> {
    if (!node.alive) return false;
    const { index, publicKey } = node;
    try {
      const { roles } = await this.#answer(node.use(Chain).roles({ publicKeys: [publicKey] }));
      const role = roles[0]?.role;
      if (role !== 'learner' && role !== 'validator') return false;
      this.#joining.delete(index);
      this.#ports.say(index, `is a ${role}`);
      return true;
    } catch (error) {
      this.#mayFail(index, error);
      return false;
    }
  }

  /** An answer, or the end of patience: a node that has crashed gives none. */
  #answer<T>(asked: Promise<T>): Promise<T> {
    const patience = new Promise<never>((_, reject) => {
      this.#ports.queue.after(PATIENCE_MS, () =>
        reject(failure('ERR_BUS_TIMEOUT', 'no answer in time', { retryable: true })),
      );
    });
    return Promise.race([asked, patience]);
  }

  /** Another founder. Whoever dials a node that is in no network yet founds one of its own with it. */
  #next(index: number, via: number): number {
    const { founders } = this.#ports;
    const next = (via + 1) % founders;
    return next === index ? (next + 1) % founders : next;
  }

  async #voteAt(node: SimulatedNode): Promise<void> {
    if (!node.alive) return;
    try {
      const members = await this.#answer(node.use(Chain).members({}));
      const own = members.state.validators.find(({ publicKey }) => sameBytes(publicKey, node.publicKey));
      if (own === undefined) return;
      for (const target of this.#evicting) this.#voteOn(node, own.sequence, target, members);
    } catch (error) {
      this.#mayFail(node.index, error);
    }
  }

  #voteOn(node: SimulatedNode, sequence: number, target: number, { state }: MembersAnswer): void {
    const key = this.#ports.nodes[target]?.publicKey;
    if (key === undefined || target === node.index) return;
    if (state.evicted.some(({ publicKey }) => sameBytes(publicKey, key))) {
      this.#evicting.delete(target);
      this.#ports.say(target, 'is out');
      return;
    }
    const proposal = state.proposals.find(
      ({ action }) => action.evict !== undefined && sameBytes(action.evict.publicKey, key),
    );
    if (proposal === undefined) {
      const action = {
        admit: undefined,
        evict: { publicKey: key, reason: 'the operators want it' },
        policy: undefined,
      };
      this.#asNode(node.index, { propose: { action, approve: true } });
    } else if (!proposal.votes.some((vote) => vote.sequence === sequence)) {
      this.#asNode(node.index, { vote: { proposal: proposal.id, approve: true } });
    }
  }

  #asNode(index: number, membership: Membership): void {
    const keys = this.#ports.nodes[index]?.keys;
    if (keys !== undefined) this.#submit(index, keys, { membership });
  }

  #submit(index: number, keys: KeyPair, body: { application?: Uint8Array; membership?: Membership }): void {
    const node = this.#ports.nodes[index];
    const network = this.#ports.network();
    if (node?.alive !== true || network === undefined) return;
    const nonce = Buffer.alloc(8);
    nonce.writeUInt32BE((this.#transactions += 1));
    const encoded = signTransaction({ network, nonce, expiresAt: 90_000, ...body }, keys);
    this.#ports.onSubmitted(transactionId(encoded, network));
    const what = body.membership === undefined ? '' : ` on ${Object.keys(body.membership).join()}`;
    node
      .use(TxPool)
      .submit({ transactions: [encoded] })
      .then(
        ({ entries }) =>
          this.#ports.say(index, `answers ${entries[0]?.state ?? 'nothing'} ${entries[0]?.code ?? ''}${what}`),
        (error: unknown) => this.#mayFail(index, error),
      );
  }

  /** A refusal with a code is an answer; anything else is a finding. */
  #mayFail(index: number, error: unknown): void {
    if (!isItChainError(error)) this.#ports.fail(thrown(error, `a request at node ${index}`));
    else this.#ports.say(index, `refuses: ${error.code} ${error.message}`);
  }
}
