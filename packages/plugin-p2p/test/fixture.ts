import {
  Chain,
  Consensus,
  P2p,
  PEER_KINDS,
  SPARSE_EMPTY,
  Application,
  ChainTip,
  Storage,
  Transport,
  TxPool,
  chainKeys,
  failure,
  networkOf,
  Genesis,
  toHex,
  type Hello,
  type MemberRole,
  type MembersAnswer,
  type Served,
  type Session,
} from '@it-chain/contracts';
import { FakeContext, ManualClock, MemoryStorage, settle } from '@it-chain/testkit';
import p2p, { P2pConfig } from '@it-chain/plugin-p2p';

interface Link {
  readonly a: Node;
  readonly b: Node;
  readonly since: number;
  readonly hellos: ReadonlyMap<Node, Hello>;
}

/** Nodes on one clock, whose sessions are objects. Messages arrive at a later turn, as they do between processes. */
export class Net {
  readonly clock = new ManualClock();
  readonly nodes = new Map<string, Node>();
  readonly links = new Set<Link>();
  /** Addresses that do not answer. */
  readonly down = new Set<string>();
  /** Every dial: who and where. */
  readonly dials: { readonly from: string; readonly to: string; readonly at: number }[] = [];

  async node(name: string, options: NodeOptions = {}): Promise<Node> {
    const node = new Node(name, this, options);
    if (options.listen === '') node.advertised = '';
    this.nodes.set(`${name}:7000`, node);
    await node.start();
    return node;
  }

  /** Lets time pass in small steps. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) await this.clock.advance(Math.min(50, left));
    await settle(30);
  }

  connect(from: Node, to: Node): Link {
    const known = [...this.links].find((link) => [link.a, link.b].includes(from) && [link.a, link.b].includes(to));
    if (known !== undefined) return known;
    const hellos = new Map([
      [from, from.hello],
      [to, to.hello],
    ]);
    const link = { a: from, b: to, since: this.clock.now(), hellos };
    this.links.add(link);
    for (const node of [from, to]) this.later(() => node.context.tell(Transport.events.connected, node.session(link)));
    return link;
  }

  cut(link: Link, code = 'ERR_TEST', reason = ''): void {
    if (!this.links.delete(link)) return;
    const pairs = [
      [link.a, link.b],
      [link.b, link.a],
    ] as const;
    for (const [node, other] of pairs) {
      this.later(() => node.context.tell(Transport.events.disconnected, { nodeId: other.id, code, reason }));
    }
  }

  later(run: () => Promise<void>): void {
    setImmediate(() => void run());
  }
}

export interface NodeOptions {
  readonly config?: unknown;
  readonly storage?: MemoryStorage;
  readonly solo?: boolean;
  /** Where it says that it listens. */
  readonly listen?: string;
}

const NO_HELLO: Hello = {
  genesis: new Uint8Array(0),
  height: 0,
  name: '',
  addresses: [],
  candidate: new Uint8Array(0),
  leader: new Uint8Array(0),
};

/** One node: the plugin with doubles for what is around it. */
export class Node {
  readonly context: FakeContext;
  readonly storage: MemoryStorage;
  hello = NO_HELLO;
  /** What the chain says of keys (hex). */
  readonly roles = new Map<string, MemberRole>();
  /** What the chain says of the members; without it the genesis holds. */
  members: MembersAnswer | undefined;
  readonly submitted: Uint8Array[] = [];
  /** How the pool answers. */
  poolAnswer: { readonly state: 'pending' | 'rejected'; readonly code: string } = { state: 'pending', code: '' };
  /** What its gateway says of itself. */
  listening: string;
  advertised: string;
  #running: { start(): Promise<void>; stop(): Promise<void> } | undefined;
  readonly #net: Net;
  readonly #asked = new Map<string, (answer: { body: Uint8Array; errorCode: string; errorMessage: string }) => void>();

  constructor(
    readonly name: string,
    net: Net,
    options: NodeOptions,
  ) {
    this.#net = net;
    this.listening = options.listen ?? '127.0.0.1:7000';
    this.advertised = `${name}:7000`;
    this.storage = options.storage ?? new MemoryStorage();
    const config = P2pConfig.parse(options.config);
    this.context = new FakeContext({ config, clock: net.clock, seed: name, solo: options.solo ?? false });
    this.context.provide(Storage, this.storage);
    this.context.provide(Transport, this.#transport());
    this.context.provide(Application, {
      info: () => Promise.resolve({ name: 'kv/1', emptyRoot: SPARSE_EMPTY }),
    } as unknown as Served<typeof Application>);
    this.context.provide(Chain, {
      roles: ({ publicKeys }: { publicKeys: readonly Uint8Array[] }) =>
        Promise.resolve({ roles: publicKeys.map((key) => ({ role: this.roles.get(toHex(key)) ?? 'unfounded' })) }),
      members: () =>
        this.members === undefined
          ? Promise.reject(failure('ERR_NETWORK_UNFOUNDED', 'no network yet'))
          : Promise.resolve(this.members),
    } as unknown as Served<typeof Chain>);
    this.context.provide(TxPool, {
      submit: ({ transactions }: { transactions: readonly Uint8Array[] }) => {
        this.submitted.push(...transactions);
        return Promise.resolve({
          entries: transactions.map(() => ({ ...this.poolAnswer, id: new Uint8Array(0), reason: 'why' })),
        });
      },
    } as unknown as Served<typeof TxPool>);
    this.context.provide(Consensus, {
      status: () =>
        Promise.resolve({
          height: 0,
          round: 0,
          leader: new Uint8Array(0),
          quorum: 1,
          validator: false,
          views: [],
          waiting: '',
        }),
    } as unknown as Served<typeof Consensus>);
  }

  get id(): string {
    return this.context.identity.nodeId;
  }

  get role(): Served<typeof P2p> {
    return this.context.servedRole(P2p);
  }

  async start(): Promise<void> {
    this.#running = await this.context.setup(p2p);
    await this.#running.start();
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#net.nodes.delete(`${this.name}:7000`);
    for (const link of this.#net.links) if (link.a === this || link.b === this) this.#net.cut(link);
  }

  /** The network in hex once settled. */
  async network(): Promise<string | undefined> {
    const { genesis } = await this.role.network({});
    return genesis === undefined ? undefined : toHex(networkOf(Genesis.decode(genesis)));
  }

  async candidate(): Promise<string> {
    const { candidate } = await this.role.network({});
    return toHex(networkOf(Genesis.decode(candidate ?? new Uint8Array(0))));
  }

  /** Puts a tip into the store, as the chain does, and tells it. */
  async commitBlock(height: number): Promise<void> {
    const set = { validators: [] };
    const root = new Uint8Array(32);
    const tip = ChainTip.encode({
      network: root,
      height,
      digest: root,
      stateRoot: root,
      rootCertified: true,
      time: 1,
      proposer: root,
      proposerSequence: 0,
      validators: set,
      nextValidators: set,
      learners: [],
      systemRoot: root,
      applicationRoot: root,
    });
    const writes = [{ namespace: 'chain', key: chainKeys.tip, value: tip } as const];
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    await this.context.tell(Chain.events.committed, {
      height,
      digest: root,
      transactions: [],
      proposer: root,
      time: 1,
      tip: height,
      round: 0,
    });
  }

  /** Asks a connected peer to join, with any body. */
  fetch(peer: string, body: Uint8Array): Promise<{ readonly body: Uint8Array }> {
    return this.context.use(Transport).fetch({ peer, kind: PEER_KINDS.join, body });
  }

  session(link: Link): Session {
    const other = link.a === this ? link.b : link.a;
    return {
      nodeId: other.id,
      publicKey: other.context.identity.publicKey,
      address: `${other.name}:7000`,
      direction: link.a === this ? 'outbound' : 'inbound',
      since: link.since,
      hello: link.hellos.get(other) ?? NO_HELLO,
    };
  }

  #links(): Link[] {
    return [...this.#net.links].filter((link) => link.a === this || link.b === this);
  }

  #peer(nodeId: string): Node | undefined {
    return this.#links()
      .map((link) => (link.a === this ? link.b : link.a))
      .find((node) => node.id === nodeId);
  }

  #transport(): Served<typeof Transport> {
    const net = this.#net;
    const { publicKey } = this.context.identity;
    return {
      announce: ({ hello }) => {
        this.hello = { ...hello, addresses: [this.advertised] };
        return Promise.resolve({});
      },
      dial: ({ address }) => {
        const place = address.slice(address.indexOf('@') + 1);
        net.dials.push({ from: this.name, to: place, at: net.clock.now() });
        const to = net.nodes.get(place);
        if (to === undefined || net.down.has(place))
          return Promise.reject(failure('ERR_PEER_UNREACHABLE', `${place} is down`));
        if (to === this) return Promise.reject(failure('ERR_PEER_SELF', 'self'));
        return Promise.resolve(this.session(net.connect(this, to)));
      },
      disconnect: ({ nodeId, code, reason }) => {
        for (const link of this.#links()) if (this.session(link).nodeId === nodeId) net.cut(link, code, reason);
        return Promise.resolve({});
      },
      deliver: ({ peers, kind, body }) => {
        const to = this.#links()
          .map((link) => (link.a === this ? link.b : link.a))
          .filter((node) => peers.length === 0 || peers.includes(node.id));
        for (const node of to) {
          net.later(() => node.context.tell(Transport.events.received, { from: this.id, publicKey, kind, body }));
        }
        return Promise.resolve({ peers: to.length });
      },
      fetch: ({ peer, kind, body }) => {
        const to = this.#peer(peer);
        if (to === undefined) return Promise.reject(failure('ERR_PEER_NOT_CONNECTED', peer));
        const requestId = `${this.name}/${to.#asked.size}`;
        return new Promise((resolve, reject) => {
          to.#asked.set(requestId, ({ body: answer, errorCode, errorMessage }) => {
            if (errorCode === '') resolve({ body: answer });
            else reject(failure(errorCode as 'ERR_JOIN_REFUSED', errorMessage));
          });
          net.later(() => to.context.tell(Transport.events.asked, { from: this.id, publicKey, requestId, kind, body }));
        });
      },
      answer: ({ requestId, ...answer }) => {
        this.#asked.get(requestId)?.(answer);
        return Promise.resolve({});
      },
      sessions: () => Promise.resolve({ sessions: this.#links().map((link) => this.session(link)) }),
      status: () => Promise.resolve({ listening: this.listening, advertised: this.advertised, insecure: false }),
    };
  }
}

/** A session id as `peer list` shows it. */
export const connectedNames = async (node: Node): Promise<string[]> =>
  (await node.role.list({})).peers
    .filter((peer) => peer.connected)
    .map((peer) => peer.name)
    .sort();
