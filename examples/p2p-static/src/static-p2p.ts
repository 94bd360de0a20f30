import {
  ItChainError,
  Leader,
  NO_NETWORK,
  P2p as P2pRole,
  PEER_KINDS,
  fromHex,
  messageOf,
  nodeIdOf,
  p2pKeys,
  sameBytes,
  toHex,
  type Application,
  type Cancel,
  type Clock,
  type Consensus,
  type Hello,
  type Infer,
  type JoinAnswer,
  type Log,
  type NetworkAnswer,
  type NodeIdentity,
  type NoticeDefinition,
  type P2p,
  type PeerAsked,
  type Peers,
  type RoundChanged,
  type Session,
  type Storage,
  type Transport,
} from '@it-chain/contracts';
import type { StaticConfig } from './static-config.js';
import { staticGenesis, type StaticGenesis } from './static-genesis.js';

/** What the plugin needs of the rest of the node. */
export interface StaticP2pDependencies {
  readonly identity: NodeIdentity;
  readonly application: Application;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly consensus: Consensus;
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
}

interface Member {
  readonly nodeId: string;
  readonly publicKey: Uint8Array;
  readonly name: string;
  readonly address: string;
  session: Session | undefined;
  failures: number;
  dialing: boolean;
  pause: Cancel | undefined;
}

const NOBODY: Leader = { nodeId: '', height: 0, round: 0 };

/** The role p2p with fixed members: they are dialled until they answer, and nobody else is let in. */
export class StaticP2p implements P2p {
  readonly #config: StaticConfig;
  readonly #with: StaticP2pDependencies;
  readonly #members: readonly Member[];
  #genesis: StaticGenesis | undefined;
  #leader: Leader = NOBODY;
  #look: Cancel | undefined;
  #stopped = false;

  constructor(config: StaticConfig, dependencies: StaticP2pDependencies) {
    this.#config = config;
    this.#with = dependencies;
    this.#members = config.members.map(({ publicKey, name, address }) => {
      const bytes = fromHex(publicKey, 32) ?? new Uint8Array(32);
      return {
        nodeId: nodeIdOf(bytes),
        publicKey: bytes,
        name,
        address,
        session: undefined,
        failures: 0,
        dialing: false,
        pause: undefined,
      };
    });
  }

  /** Belongs to its network from the first moment. Waits for no peer. @throws ERR_STATIC_NOT_MEMBER, ERR_DIFFERENT_NETWORK */
  async start(): Promise<void> {
    const { identity, application, storage, transport, emit, clock } = this.#with;
    if (!this.#members.some(({ nodeId }) => nodeId === identity.nodeId)) {
      throw new ItChainError(
        'ERR_STATIC_NOT_MEMBER',
        `this node, ${toHex(identity.publicKey)}, is none of the members`,
        {
          hint: 'Put its public key into members on every node.',
        },
      );
    }
    const genesis = staticGenesis(this.#config, (await application.info({})).name);
    const { values } = await storage.read({ namespace: 'p2p', keys: [p2pKeys.genesis, p2pKeys.leader] });
    const [known, leader] = values.map(({ value }) => value);
    if (known !== undefined && !sameBytes(known, genesis.bytes)) {
      throw new ItChainError('ERR_DIFFERENT_NETWORK', 'the store belongs to another network than the config says', {
        hint: 'Restore network, members and leaderTerm as they were, or use an empty data directory.',
      });
    }
    if (known === undefined) await this.#store(p2pKeys.genesis, genesis.bytes);
    if (leader !== undefined) this.#leader = Leader.decode(leader);
    this.#genesis = genesis;
    await transport.announce({ hello: this.#hello(genesis) });
    const founder = sameBytes(genesis.value.founder, identity.publicKey);
    await emit(P2pRole.events.founded, { genesis: genesis.bytes, founder, candidate: new Uint8Array(0) });
    this.#look = clock.every(this.#config.lookMs, () => void this.look());
    void this.look();
  }

  stop(): void {
    this.#stopped = true;
    this.#look?.();
    for (const { pause } of this.#members) pause?.();
  }

  join(): Promise<Infer<typeof JoinAnswer>> {
    return Promise.reject(refusal());
  }

  found(): Promise<NetworkAnswer> {
    return this.network();
  }

  list(): Promise<Infer<typeof Peers>> {
    const self = this.#with.identity.nodeId;
    const rows = this.#members.map(({ nodeId, publicKey, name, address, session }) => ({
      nodeId,
      publicKey,
      name: nodeId === self ? this.#with.identity.name : name,
      address,
      self: nodeId === self,
      connected: session !== undefined,
      direction: session?.direction ?? ('none' as const),
      since: session?.since ?? 0,
    }));
    return Promise.resolve({ peers: [...rows.filter((row) => row.self), ...rows.filter((row) => !row.self)] });
  }

  leader(): Promise<Leader> {
    return Promise.resolve(this.#leader);
  }

  network(): Promise<NetworkAnswer> {
    return Promise.resolve(this.#genesis === undefined ? {} : { genesis: this.#genesis.bytes });
  }

  /** A session is open. Strangers, and members with another config, are sent away. */
  async connected(session: Session): Promise<void> {
    const member = this.#members.find(({ nodeId }) => nodeId === session.nodeId);
    const own = this.#genesis?.network ?? NO_NETWORK;
    if (member === undefined) {
      await this.#end(session.nodeId, 'ERR_JOIN_REFUSED', 'the members of this network are fixed');
    } else if (session.hello.network !== undefined && !sameBytes(session.hello.network, own)) {
      const theirs = toHex(session.hello.network);
      await this.#end(
        session.nodeId,
        'ERR_DIFFERENT_NETWORK',
        `this node belongs to ${toHex(own)}, the other to ${theirs}`,
      );
    } else if (member.session?.since !== session.since) {
      member.session = session;
      member.failures = 0;
      const peer = (await this.list()).peers.find(({ nodeId }) => nodeId === session.nodeId);
      if (peer !== undefined) await this.#with.emit(P2pRole.events.joined, { peer });
    }
  }

  disconnected(nodeId: string): void {
    const member = this.#members.find((one) => one.nodeId === nodeId);
    if (member === undefined) return;
    member.session = undefined;
    this.#dialLater(member);
  }

  /** Consensus entered a height or round. */
  async round({ height, round, leader: publicKey }: Infer<typeof RoundChanged>): Promise<void> {
    const known = this.#leader;
    if (height < known.height || (height === known.height && round < known.round)) return;
    this.#leader = { publicKey, nodeId: nodeIdOf(publicKey), height, round };
    if (known.publicKey !== undefined && sameBytes(known.publicKey, publicKey)) return;
    await this.#store(p2pKeys.leader, Leader.encode(this.#leader));
    await this.#with.emit(P2pRole.events.leaderUpdated, this.#leader);
  }

  /** A peer asks to be admitted. */
  async asked({ kind, requestId }: PeerAsked): Promise<void> {
    if (kind !== PEER_KINDS.join) return;
    const { code, message } = refusal();
    await this.#with.transport.answer({ requestId, body: new Uint8Array(0), errorCode: code, errorMessage: message });
  }

  /** Looks at everything that events only hint at. */
  async look(): Promise<void> {
    try {
      const { sessions } = await this.#with.transport.sessions({});
      for (const session of sessions) await this.connected(session);
      for (const member of this.#members) {
        if (!sessions.some(({ nodeId }) => nodeId === member.nodeId)) member.session = undefined;
        if (member.session === undefined && member.pause === undefined) void this.#dial(member);
      }
      const { height, round, leader } = await this.#with.consensus.status({});
      if (leader.length === 32) await this.round({ height, round, leader });
    } catch (error) {
      this.#with.log.debug('p2p could not look around; it looks again soon', { reason: messageOf(error) });
    }
  }

  async #dial(member: Member): Promise<void> {
    if (this.#stopped || member.dialing || member.nodeId === this.#with.identity.nodeId) return;
    member.dialing = true;
    try {
      await this.connected(await this.#with.transport.dial({ address: `${member.nodeId}@${member.address}` }));
    } catch (error) {
      member.failures += 1;
      this.#with.log.debug('a member does not answer', { peer: member.nodeId, reason: messageOf(error) });
      this.#dialLater(member);
    } finally {
      member.dialing = false;
    }
  }

  #dialLater(member: Member): void {
    if (this.#stopped || member.pause !== undefined) return;
    const { minPauseMs, maxPauseMs } = this.#config;
    const ms = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(10, member.failures));
    member.pause = this.#with.clock.after(ms, () => {
      member.pause = undefined;
      if (member.session === undefined) void this.#dial(member);
    });
  }

  async #end(nodeId: string, code: string, reason: string): Promise<void> {
    this.#with.log.warn('a peer is sent away', { peer: nodeId, code, reason });
    await this.#with.transport.disconnect({ nodeId, code, reason }).catch((error: unknown) => {
      this.#with.log.debug('the session was gone already', { peer: nodeId, reason: messageOf(error) });
    });
  }

  async #store(key: Uint8Array, value: Uint8Array): Promise<void> {
    const writes = [{ namespace: 'p2p' as const, key, value }];
    await this.#with.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  }

  #hello({ bytes, network }: StaticGenesis): Hello {
    const { name } = this.#with.identity;
    const none = new Uint8Array(0);
    return { network, genesis: bytes, height: 0, name, addresses: [], candidate: none, leader: none };
  }
}

const refusal = (): ItChainError =>
  new ItChainError('ERR_JOIN_REFUSED', 'the members of this network are fixed in the config of its nodes');
