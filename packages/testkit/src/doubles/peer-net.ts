import {
  Application,
  Chain,
  ChainTip,
  Consensus,
  Genesis,
  P2p,
  PEER_KINDS,
  SPARSE_EMPTY,
  Storage,
  Transport,
  TxPool,
  chainKeys,
  failure,
  networkOf,
  toHex,
  type Hello,
  type MemberRole,
  type MembersAnswer,
  type Plugin,
  type Session,
} from '@it-chain/contracts';
import { FakeContext } from './fake-context.js';
import { ManualClock, settle } from './manual-clock.js';
import { MemoryStorage } from './memory-storage.js';
import { overTheWire } from './over-the-wire.js';

/** A session between two nodes of a {@link PeerNet}. */
export interface PeerNetLink {
  /** Who dialled. */
  readonly a: PeerNetNode;
  readonly b: PeerNetNode;
  readonly since: number;
  readonly hellos: ReadonlyMap<PeerNetNode, Hello>;
}

/** Nodes of a p2p plugin on one clock, whose sessions are objects. Messages arrive at a later turn, as between processes. */
export class PeerNet {
  readonly clock = new ManualClock();
  /** By address: `NAME:7000`. */
  readonly nodes = new Map<string, PeerNetNode>();
  readonly links = new Set<PeerNetLink>();
  /** Addresses that do not answer. */
  readonly down = new Set<string>();
  /** Addresses at which a dial waits for so many ms before it fails. */
  readonly silent = new Map<string, number>();
  /** Every dial: who and where. */
  readonly dials: { readonly from: string; readonly to: string; readonly at: number }[] = [];
  /** Codes with which sessions were ended. */
  readonly ended: string[] = [];

  constructor(readonly plugin: Plugin) {}

  /** Makes a node, which is not started. */
  add(name: string, options: PeerNetNodeOptions = {}): PeerNetNode {
    const node = new PeerNetNode(name, this, options);
    if (options.listen === '') node.advertised = '';
    this.nodes.set(`${name}:7000`, node);
    return node;
  }

  /** Makes and starts a node. */
  async node(name: string, options: PeerNetNodeOptions = {}): Promise<PeerNetNode> {
    const node = this.add(name, options);
    await node.start();
    return node;
  }

  /** Lets time pass in small steps. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) await this.clock.advance(Math.min(50, left));
    await settle(30);
  }

  /** Lets time pass until `done`, at most `ms`. @returns whether it came true */
  async until(done: () => boolean | Promise<boolean>, ms = 60_000): Promise<boolean> {
    for (let passed = 0; passed < ms && !(await done()); passed += 250) await this.pass(250);
    return done();
  }

  /** The session of two nodes, opened where there is none: `from` counts as the one that dialled. */
  connect(from: PeerNetNode, to: PeerNetNode): PeerNetLink {
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

  /** Ends a session; both sides are told. */
  cut(link: PeerNetLink, code = 'ERR_PEER_LOST', reason = ''): void {
    if (!this.links.delete(link)) return;
    this.ended.push(code);
    const pairs = [
      [link.a, link.b],
      [link.b, link.a],
    ] as const;
    for (const [node, other] of pairs) {
      this.later(() => node.context.tell(Transport.events.disconnected, { nodeId: other.id, code, reason }));
    }
  }

  /** Runs it at a later turn of the event loop. */
  later(run: () => Promise<void>): void {
    setImmediate(() => void run());
  }
}

/** How a node of a {@link PeerNet} differs from its defaults. */
export interface PeerNetNodeOptions {
  /** The plugin's section. */
  readonly config?: unknown;
  /** What a life before this one left. */
  readonly storage?: MemoryStorage;
  readonly solo?: boolean;
  /** Where it says that it listens; empty: not yet. */
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

type PeerAnswer = { readonly body: Uint8Array; readonly errorCode: string; readonly errorMessage: string };

/** One node: the plugin with doubles of what is around it. */
export class PeerNetNode {
  readonly context: FakeContext;
  readonly storage: MemoryStorage;
  hello = NO_HELLO;
  /** What the chain says of keys (hex). */
  readonly roles = new Map<string, MemberRole>();
  /** What the chain says of the members; without it the genesis holds. */
  members: MembersAnswer | undefined;
  /** Transactions that its pool was given. */
  readonly submitted: Uint8Array[] = [];
  /** How the pool answers. */
  poolAnswer: { readonly state: 'pending' | 'rejected'; readonly code: string } = { state: 'pending', code: '' };
  /** What its gateway says of itself. */
  listening: string;
  advertised: string;
  #running: { start(): Promise<void>; stop(): Promise<void> } | undefined;
  readonly #net: PeerNet;
  readonly #asked = new Map<string, (answer: PeerAnswer) => void>();

  constructor(
    readonly name: string,
    net: PeerNet,
    options: PeerNetNodeOptions,
  ) {
    this.#net = net;
    this.listening = options.listen ?? '127.0.0.1:7000';
    this.advertised = `${name}:7000`;
    this.storage = options.storage ?? new MemoryStorage();
    const config: unknown = net.plugin.config?.parse(options.config ?? {});
    this.context = new FakeContext({ config, clock: net.clock, seed: name, solo: options.solo ?? false });
    this.context.provide(Storage, this.storage);
    this.context.provide(Transport, this.#transport());
    this.#provideUpperRoles();
  }

  get id(): string {
    return this.context.identity.nodeId;
  }

  /** What it serves. */
  get role(): P2p {
    return overTheWire(P2p, this.context.servedRole(P2p));
  }

  /** Starts the plugin under test. */
  async start(): Promise<void> {
    this.#running = await this.context.setup(this.#net.plugin);
    await this.#running.start();
    await this.open();
  }

  /** Opens the doors, as the kernel does when all plugins have started: the transport may say only now where it listens. */
  async open(): Promise<void> {
    for (const open of this.context.accepts) await open();
  }

  /** Stops it; its sessions end. */
  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
    if (this.#net.nodes.get(`${this.name}:7000`) === this) this.#net.nodes.delete(`${this.name}:7000`);
    for (const link of this.#links()) this.#net.cut(link);
  }

  /** The network in hex once settled. */
  async network(): Promise<string | undefined> {
    const { genesis } = await this.role.network({});
    return genesis === undefined ? undefined : toHex(networkOf(Genesis.decode(genesis)));
  }

  /** The network in hex that it would found. */
  async candidate(): Promise<string> {
    const { candidate } = await this.role.network({});
    return toHex(networkOf(Genesis.decode(candidate ?? new Uint8Array(0))));
  }

  /** Names of those that its table shows as connected. */
  async connected(): Promise<string[]> {
    const { peers } = await this.role.list({});
    return peers.flatMap((peer) => (peer.connected ? [peer.name] : [])).sort();
  }

  /** Puts a tip into the store, as the chain does, and tells it; the event may get lost. */
  async commitBlock(height: number, told = true): Promise<void> {
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
    if (!told) return;
    const body = { height, digest: root, transactions: [], proposer: root, time: 1, tip: height, round: 0 };
    await this.context.tell(Chain.events.committed, body);
  }

  /** Asks a connected peer to join, with any body. */
  fetch(peer: string, body: Uint8Array): Promise<{ readonly body: Uint8Array }> {
    return this.context.use(Transport).fetch({ peer, kind: PEER_KINDS.join, body });
  }

  /** The session as this side sees it. */
  session(link: PeerNetLink): Session {
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

  #links(): PeerNetLink[] {
    return [...this.#net.links].filter((link) => link.a === this || link.b === this);
  }

  #peers(): PeerNetNode[] {
    return this.#links().map((link) => (link.a === this ? link.b : link.a));
  }

  #provideUpperRoles(): void {
    this.context.provide(Application, {
      ...({} as Application),
      info: () => Promise.resolve({ name: 'kv/1', emptyRoot: SPARSE_EMPTY }),
    });
    this.context.provide(Chain, {
      ...({} as Chain),
      roles: ({ publicKeys }) =>
        Promise.resolve({ roles: publicKeys.map((key) => ({ role: this.roles.get(toHex(key)) ?? 'unfounded' })) }),
      members: () =>
        this.members === undefined
          ? Promise.reject(failure('ERR_NETWORK_UNFOUNDED', 'no network yet'))
          : Promise.resolve(this.members),
    });
    this.context.provide(TxPool, {
      ...({} as TxPool),
      submit: ({ transactions }) => {
        this.submitted.push(...transactions);
        const entry = { ...this.poolAnswer, id: new Uint8Array(0), reason: 'why' };
        return Promise.resolve({ entries: transactions.map(() => entry) });
      },
    });
    const nobody = { height: 0, round: 0, leader: new Uint8Array(0), quorum: 1, validator: false };
    this.context.provide(Consensus, {
      ...({} as Consensus),
      status: () => Promise.resolve({ ...nobody, views: [], waiting: '' }),
    });
  }

  #transport(): Transport {
    const net = this.#net;
    return {
      announce: ({ hello }) => {
        this.hello = { ...hello, addresses: [this.advertised] };
        return Promise.resolve({});
      },
      dial: ({ address }) => this.#dial(address.slice(address.indexOf('@') + 1)),
      disconnect: ({ nodeId, code, reason }) => {
        for (const link of this.#links()) if (this.session(link).nodeId === nodeId) net.cut(link, code, reason);
        return Promise.resolve({});
      },
      deliver: ({ peers, kind, body }) => {
        const to = this.#peers().filter((node) => peers.length === 0 || peers.includes(node.id));
        const { publicKey } = this.context.identity;
        for (const node of to) {
          net.later(() => node.context.tell(Transport.events.received, { from: this.id, publicKey, kind, body }));
        }
        return Promise.resolve({ peers: to.length });
      },
      fetch: ({ peer, kind, body }) => this.#ask(peer, kind, body),
      answer: ({ requestId, ...answer }) => {
        this.#asked.get(requestId)?.(answer);
        return Promise.resolve({});
      },
      sessions: () => Promise.resolve({ sessions: this.#links().map((link) => this.session(link)) }),
      status: () => Promise.resolve({ listening: this.listening, advertised: this.advertised, insecure: false }),
    };
  }

  #dial(place: string): Promise<Session> {
    const net = this.#net;
    net.dials.push({ from: this.name, to: place, at: net.clock.now() });
    const to = net.nodes.get(place);
    const silence = net.silent.get(place);
    if (silence !== undefined) {
      const late = () => Promise.reject(failure('ERR_PEER_UNREACHABLE', `${place} is silent`));
      return net.clock.sleep(silence).then(late);
    }
    if (to === undefined || net.down.has(place)) {
      return Promise.reject(failure('ERR_PEER_UNREACHABLE', `${place} is down`));
    }
    if (to === this) return Promise.reject(failure('ERR_PEER_SELF', 'self'));
    return Promise.resolve(this.session(net.connect(this, to)));
  }

  #ask(peer: string, kind: string, body: Uint8Array): Promise<{ readonly body: Uint8Array }> {
    const to = this.#peers().find((node) => node.id === peer);
    if (to === undefined) return Promise.reject(failure('ERR_PEER_NOT_CONNECTED', peer));
    const requestId = `${this.name}/${to.#asked.size}`;
    const { publicKey } = this.context.identity;
    return new Promise((resolve, reject) => {
      to.#asked.set(requestId, ({ body: answer, errorCode, errorMessage }) => {
        if (errorCode === '') resolve({ body: answer });
        else reject(failure(errorCode as 'ERR_JOIN_REFUSED', errorMessage));
      });
      const asked = { from: this.id, publicKey, requestId, kind, body };
      this.#net.later(() => to.context.tell(Transport.events.asked, asked));
    });
  }
}
