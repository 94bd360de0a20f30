import { randomBytes } from 'node:crypto';
import {
  keyPairFromSeed,
  nodeIdOf,
  sha256,
  signBytes,
  signingBytes,
  Transport,
  utf8,
  verifySignature,
  type Clock,
  type Domain,
  type KeyPair,
  type NodeIdentity,
  type NoticeDefinition,
  type PeerAsked,
  type PeerMessage,
  type Session,
} from '@it-chain/contracts';
import { PeersConfig, PeerTransport, type PeerTransportDependencies } from '@it-chain/plugin-gateway';
import { FakeContext, RecordingLog } from '@it-chain/testkit';

/** The clock of the machine: sockets do not wait for a clock that a test moves. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => {
      clearInterval(timer);
    };
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Waits until `done` holds, looking at it every few ms. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what = 'the condition',
  ms = 20_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await realClock.sleep(5);
  }
}

/** The code of the failure that a promise must end with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'no failure';
}

export interface TestNodeOptions {
  readonly config?: Record<string, unknown>;
  readonly clock?: Clock;
  readonly keys?: KeyPair;
  readonly override?: Partial<PeerTransportDependencies>;
}

/** A peer transport on a free port of 127.0.0.1 with everything it told. */
export class TestNode {
  readonly keys: KeyPair;
  readonly identity: NodeIdentity;
  readonly transport: PeerTransport;
  readonly log = new RecordingLog();
  readonly connected: Session[] = [];
  readonly gone: { nodeId: string; code: string; reason: string }[] = [];
  /** Connected and disconnected, in order: `+id` and `-id`. */
  readonly changes: string[] = [];
  readonly received: PeerMessage[] = [];
  readonly asked: PeerAsked[] = [];
  onReceived: ((message: PeerMessage) => void) | undefined;
  onAsked: ((asked: PeerAsked) => void) | undefined;
  address = '';
  #close: (() => Promise<void>) | undefined;

  constructor(name: string, options: TestNodeOptions = {}) {
    this.keys = options.keys ?? keyPairFromSeed(sha256(utf8(name)));
    this.identity = { nodeId: nodeIdOf(this.keys.publicKey), publicKey: this.keys.publicKey, name };
    const config = PeersConfig.parse({ listen: '127.0.0.1:0', ...options.config });
    this.transport = new PeerTransport(config, {
      identity: this.identity,
      clock: options.clock ?? realClock,
      log: this.log,
      metrics: new FakeContext({ config: {} }).metrics,
      random: (length) => randomBytes(length),
      sign: (domain, network, content) =>
        Promise.resolve(signBytes(signingBytes(domain as Domain, network, content), this.keys.secretKey)),
      verify: (checks) => Promise.resolve(checks.map((c) => verifySignature(c.publicKey, c.message, c.signature))),
      emit: (notice, body) => this.#emit(notice, body),
      ...options.override,
    });
  }

  get id(): string {
    return this.identity.nodeId;
  }

  async accept(): Promise<this> {
    this.#close = await this.transport.accept();
    this.address = (await this.transport.status()).listening;
    return this;
  }

  async close(): Promise<void> {
    await (this.#close?.() ?? this.transport.close());
  }

  async peers(): Promise<string[]> {
    return (await this.transport.sessions()).sessions.map(({ nodeId }) => nodeId);
  }

  deliver(
    kind: string,
    body: Uint8Array,
    lane: 'control' | 'bulk' = 'control',
    peers: string[] = [],
  ): Promise<{ peers: number }> {
    return this.transport.deliver({ peers, kind, body, lane });
  }

  #emit<B>(notice: NoticeDefinition<B>, body: B): Promise<void> {
    notice.body.encode(body);
    if (notice.name === Transport.events.connected.name) {
      this.connected.push(body as Session);
      this.changes.push(`+${(body as Session).nodeId}`);
    } else if (notice.name === Transport.events.disconnected.name) {
      const gone = body as { nodeId: string; code: string; reason: string };
      this.gone.push(gone);
      this.changes.push(`-${gone.nodeId}`);
    } else if (notice.name === Transport.events.received.name) {
      this.received.push(body as PeerMessage);
      this.onReceived?.(body as PeerMessage);
    } else {
      this.asked.push(body as PeerAsked);
      this.onAsked?.(body as PeerAsked);
    }
    return Promise.resolve();
  }
}

/** Makes nodes and closes them after each test. */
export function nodesOf(): (name: string, options?: TestNodeOptions) => TestNode {
  const made: TestNode[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map((node) => node.close()));
  });
  return (name, options) => {
    const node = new TestNode(name, options);
    made.push(node);
    return node;
  };
}
