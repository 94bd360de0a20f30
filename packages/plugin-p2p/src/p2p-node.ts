import {
  Genesis,
  Hello,
  NO_NETWORK,
  PEER_KINDS,
  isItChainError,
  messageOf,
  sameBytes,
  type BlockCommitted,
  type Call,
  type Cancel,
  type Gauge,
  type Infer,
  type JoinAnswer,
  type Leader,
  type NetworkAnswer,
  type P2p,
  type Peer,
  type PeerAsked,
  type PeerGone,
  type PeerMessage,
  type RoundChanged,
  type Session,
} from '@it-chain/contracts';
import { P2p as P2pRole } from '@it-chain/contracts';
import { Admission } from './admission.js';
import type { Direction } from './decide-founding.js';
import { candidateGenesis } from './candidate-genesis.js';
import { describePeer } from './describe-peer.js';
import { Dialer } from './dialer.js';
import { Founding, type Meeting } from './founding.js';
import { Introduction } from './introduction.js';
import { LeaderRepository } from './leader-repository.js';
import { otherNetwork, type OtherNetwork } from './other-network.js';
import type { P2pConfig } from './p2p-config.js';
import type { P2pDependencies } from './p2p-dependencies.js';
import { P2pStore } from './p2p-store.js';
import { PeerTable } from './peer-table.js';
import { refusalOf } from './read-genesis.js';
import { RecordGossip } from './record-gossip.js';

/** What is made once the application has said its name. */
interface Parts {
  readonly founding: Founding;
  readonly gossip: RecordGossip;
  readonly admission: Admission;
}

/** Codes with which a session between two networks ends. */
const OTHER_NETWORK = new Set(['ERR_DIFFERENT_NETWORK', 'ERR_NETWORK_PINNED', 'ERR_NETWORK_RECOVERED']);
const CANDIDATE_POLL_MS = 50;
/** After so many looks the address of the gateway counts as unknown, and admission is by vote. */
const CANDIDATE_POLLS = 100;

/** The role p2p: one peer table, founding and adoption, join, leader repository, redial. */
export class P2pNode implements P2p {
  readonly #config: P2pConfig;
  readonly #deps: P2pDependencies;
  readonly #store: P2pStore;
  readonly #table: PeerTable;
  readonly #leader: LeaderRepository;
  readonly #dialer: Dialer;
  readonly #introduction: Introduction;
  readonly #known: Gauge;
  readonly #connected: Gauge;
  #application = '';
  #parts: Parts | undefined;
  readonly #cancels: Cancel[] = [];
  /** A member says that it has recovered this network. */
  #recoveryClaimed = false;
  #stopped = false;

  constructor(config: P2pConfig, dependencies: P2pDependencies) {
    this.#config = config;
    this.#deps = dependencies;
    this.#store = new P2pStore(dependencies.storage);
    this.#table = new PeerTable({ maxPeers: config.maxPeers }, { store: this.#store });
    this.#known = dependencies.metrics.gauge('p2p_known_peers', 'Rows of the peer table');
    this.#connected = dependencies.metrics.gauge('p2p_connected_peers', 'Sessions to other nodes');
    this.#leader = new LeaderRepository({ store: this.#store, emit: dependencies.emit });
    this.#introduction = new Introduction(dependencies.transport, () =>
      this.#started().founding.hello(this.#leader.leader.publicKey ?? new Uint8Array(0)),
    );
    this.#dialer = new Dialer(config, {
      clock: dependencies.clock,
      log: dependencies.log,
      table: this.#table,
      transport: dependencies.transport,
      random: () => Buffer.from(dependencies.random(4)).readUInt32BE() / 2 ** 32,
      connected: (session) => this.connected(session),
    });
  }

  /** Loads what is stored, draws the candidate and begins to dial. Waits for no peer. */
  async start(): Promise<void> {
    const { application, clock, solo } = this.#deps;
    this.#application = (await application.info({})).name;
    const stored = await this.#store.load();
    const parts = this.#makeParts();
    parts.founding.restore(stored);
    parts.gossip.restore(stored.self);
    this.#leader.restore(stored.genesis === undefined ? undefined : stored.leader);
    await this.#table.load(parts.founding.genesis?.digest);
    this.#parts = parts;
    if (!parts.founding.hasCandidate) await this.#drawCandidate(0);
    if (solo && parts.founding.hasCandidate) await parts.founding.found();
    await this.#introduction.announce();
    this.#dialer.start();
    this.#cancels.push(
      clock.every(this.#config.reconcileMs, () => void this.#guarded('reconcile', () => this.reconcile())),
    );
  }

  /** The doors are open, so the gateway says where it listens: the candidate is drawn before the node is ready. */
  opened(): Promise<void> {
    return this.#guarded('draw the candidate', async () => {
      const { listening } = await this.#deps.transport.status({});
      if (listening !== '') await this.#drawLate(0);
    });
  }

  /** Stops dialling and writes what is not written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#dialer.stop();
    for (const cancel of this.#cancels) cancel();
    this.#parts?.founding.stop();
    await this.#table.flush();
  }

  /** The call `peer.join`. */
  async join({ address }: { readonly address: string }, call?: Call): Promise<Infer<typeof JoinAnswer>> {
    const { founding, admission } = this.#started();
    const session = await this.#deps.transport.dial({ address });
    await this.connected(session);
    const answer = await admission.ask(session, (call?.timeoutMs ?? P2pRole.calls.join.timeoutMs) * 0.9);
    return { network: founding.genesis?.digest ?? NO_NETWORK, nodeId: session.nodeId, ...answer };
  }

  /** The call `network.found`. */
  async found(): Promise<NetworkAnswer> {
    const { founding } = this.#started();
    await founding.found();
    await founding.whenSettled(this.#config.settleMs * 5);
    return founding.answer();
  }

  /** The call `peer.list`. */
  list(): Promise<{ readonly peers: readonly Infer<typeof Peer>[] }> {
    const { nodeId, publicKey, name } = this.#deps.identity;
    const self = {
      nodeId,
      publicKey,
      name,
      address: this.#introduction.address,
      self: true,
      connected: false,
      direction: 'none',
      since: 0,
    } as const;
    return Promise.resolve({ peers: [self, ...this.#table.all().map(describePeer)] });
  }

  /** The call `leader.get`. */
  leader(): Promise<Leader> {
    return Promise.resolve(this.#leader.leader);
  }

  /** The call `network.get`. */
  network(): Promise<NetworkAnswer> {
    return Promise.resolve(this.#parts?.founding.answer() ?? {});
  }

  /** A session is open: compares networks, introduces this node. Telling it twice does no harm. */
  async connected(session: Session): Promise<void> {
    const { nodeId, publicKey, direction, hello } = session;
    if (this.#stopped || sameBytes(publicKey, this.#deps.identity.publicKey)) return;
    if (this.#table.get(nodeId)?.session?.since === session.since) return;
    const { row, fresh } = this.#table.connected(session);
    this.#dialer.connected(nodeId);
    if (fresh) void this.#deps.emit(P2pRole.events.joined, { peer: describePeer(row) });
    if ((await this.#meet(nodeId, publicKey, hello, direction)) === undefined) return;
    const { founding, gossip } = this.#started();
    // The handshake may have shown an older hello than what holds now.
    await this.#introduction.tell([nodeId]);
    if (founding.genesis !== undefined) await gossip.introduce(nodeId);
    await this.#table.flush();
  }

  /** A session is gone. */
  async disconnected({ nodeId, code }: Infer<typeof PeerGone>): Promise<void> {
    this.#table.disconnected(nodeId, this.#deps.clock.now());
    if (OTHER_NETWORK.has(code)) this.#dialer.refused(nodeId);
    else if (code === 'ERR_PEER_DISCONNECTED') this.#dialer.leave(nodeId);
    else this.#dialer.disconnected(nodeId);
    await this.#table.flush();
  }

  /** A message of a peer, of any kind: records and hellos are for this plugin. */
  async received(message: PeerMessage): Promise<void> {
    const { founding, gossip } = this.#started();
    const { kind, from, publicKey, body } = message;
    if (kind === PEER_KINDS.record) {
      const fresh = await gossip.receive(message, founding.genesis?.digest);
      if (fresh > 0) await this.#table.flush();
    } else if (kind === PEER_KINDS.hello) {
      const session = this.#table.get(from)?.session;
      // Told before its session was, or after it was refused: what counts is told again.
      if (session === undefined) return;
      const meeting = await this.#meet(from, publicKey, Hello.decode(body), session.direction);
      // Where this network stays, the other side has to change: it may not know what holds here.
      if (meeting?.decision === 'keep' && meeting.other !== meeting.own) await this.#introduction.tell([from]);
    }
  }

  /** A request of a peer, of any kind: a join is for this plugin. */
  async asked(request: PeerAsked): Promise<void> {
    if (request.kind === PEER_KINDS.join) await this.#started().admission.answer(request);
  }

  /** A block was committed. */
  async committed({ tip }: BlockCommitted): Promise<void> {
    if (this.#recoveryClaimed) {
      // A network that decides has its quorum: whoever claims that it was lost has no more to say than any other network.
      this.#recoveryClaimed = false;
      this.#deps.health({ state: 'ok' });
    }
    if (!this.#started().founding.reached(tip)) return;
    // From the first block on this network beats every other one without blocks: the peers should know at once.
    await this.#introduction.announce();
    await this.#introduction.tell([]);
  }

  /** Consensus entered a height or round. */
  async round(round: Infer<typeof RoundChanged>): Promise<void> {
    if (this.#parts?.founding.genesis === undefined) return;
    await this.#leader.update(round);
  }

  /** Looks at everything that events only hint at. */
  async reconcile(): Promise<void> {
    const { founding, gossip } = this.#started();
    const { transport, clock } = this.#deps;
    const { sessions } = await transport.sessions({});
    const open = new Set(sessions.map(({ nodeId }) => nodeId));
    for (const session of sessions) await this.connected(session);
    for (const { nodeId, session } of this.#table.all()) {
      if (session !== undefined && !open.has(nodeId)) this.#table.disconnected(nodeId, clock.now());
    }
    // Until the first block the network may still change: said again and again, as any message may be lost.
    founding.reached(await this.#store.height());
    if (founding.height <= 1) await this.#introduction.tell([]);
    this.#introduction.noteAddress(await transport.status({}));
    if (founding.genesis !== undefined) await gossip.renew(founding.genesis.digest, this.#introduction.address);
    this.#known.set(this.#table.size);
    this.#connected.set(open.size);
    await this.#introduction.announce();
    await this.#table.flush();
    if (founding.genesis !== undefined) await this.#lookUp();
  }

  /** Members and leader, from the plugins that know them; they may be away. */
  async #lookUp(): Promise<void> {
    const rows = this.#table.all();
    const { roles } = await this.#deps.chain.roles({ publicKeys: rows.map(({ publicKey }) => publicKey) });
    this.#table.setRoles(new Map(rows.map(({ nodeId }, index) => [nodeId, roles[index]?.role ?? 'observer'])));
    const { height, round, leader } = await this.#deps.consensus.status({});
    if (leader.length === 32) await this.round({ height, round, leader });
  }

  /** Compares networks and acts on it; undefined where the session ends. */
  async #meet(nodeId: string, publicKey: Uint8Array, hello: Hello, direction: Direction): Promise<Meeting | undefined> {
    const { log } = this.#deps;
    try {
      const meeting = await this.#started().founding.meet(hello, publicKey, direction);
      if (meeting.decision !== 'refuse') return meeting;
      const { own, other } = meeting;
      const pinned = this.#config.network !== undefined && this.#config.network !== other;
      const mine = this.#config.network ?? own ?? 'none';
      const { code, reason } = pinned
        ? {
            code: 'ERR_NETWORK_PINNED',
            reason: `this node belongs to the network ${mine}, the other one to ${other ?? 'none'}`,
          }
        : await this.#otherNetwork(meeting);
      log.warn('a peer of another network is refused', { peer: nodeId, own: mine, other, code, reason });
      await this.#end(nodeId, code, reason);
    } catch (error) {
      if (!isItChainError(error)) throw error;
      // A store that fails is no fault of the peer.
      if (/^ERR_(?:STORAGE|BUS)_/.test(error.code)) throw error;
      const { code, reason } = refusalOf(error);
      log.warn('the hello of a peer is refused', { peer: nodeId, code, reason });
      await this.#end(nodeId, code, reason);
    }
    return undefined;
  }

  /** Whoever can sign may claim to have recovered this network; a node says so only of one of its members. */
  async #otherNetwork({ genesis: { own, other } }: Meeting): Promise<OtherNetwork> {
    const said = otherNetwork(own, other);
    if (said.successor === undefined) return said;
    const { founder, recovery } = said.successor.value;
    const { roles } = await this.#deps.chain.roles({ publicKeys: [founder] });
    const role = roles[0]?.role;
    if (role !== 'validator' && role !== 'learner') {
      const { network } = said.successor;
      const reason = `the network ${network} says that it recovers that of this node, but its founder is no member here`;
      return { code: 'ERR_DIFFERENT_NETWORK', reason };
    }
    this.#recoveryClaimed = true;
    this.#deps.health({ state: 'degraded', reason: `${said.reason} (reason given: ${recovery?.reason ?? ''})` });
    return said;
  }

  async #end(nodeId: string, code: string, reason: string): Promise<void> {
    this.#dialer.refused(nodeId);
    this.#table.disconnected(nodeId, this.#deps.clock.now());
    await this.#deps.transport.disconnect({ nodeId, code, reason }).catch((error: unknown) => {
      this.#deps.log.debug('the session was gone already', { peer: nodeId, reason: messageOf(error) });
    });
  }

  /** The candidate needs to know whether the node is on loopback, which the gateway may say only when it has opened; true once drawn. */
  async #drawCandidate(attempt: number): Promise<boolean> {
    const { genesis: wanted } = this.#config;
    const { transport, identity, clock, random, log } = this.#deps;
    const status = await transport.status({});
    this.#introduction.noteAddress(status);
    const place = status.listening === '' ? status.advertised : status.listening;
    if (place === '' && wanted.admission === undefined && attempt < CANDIDATE_POLLS && !this.#stopped) {
      this.#cancels.push(
        clock.after(
          CANDIDATE_POLL_MS,
          () => void this.#guarded('draw the candidate', () => this.#drawLate(attempt + 1)),
        ),
      );
      return false;
    }
    const application = this.#application;
    const founder = { publicKey: identity.publicKey, place, application, time: clock.now(), nonce: random(32) };
    const candidate = candidateGenesis(wanted, founder);
    await this.#started().founding.draw(Genesis.encode(candidate));
    log.debug('the candidate genesis is drawn', { admission: candidate.admission, application });
    return true;
  }

  async #drawLate(attempt: number): Promise<void> {
    const { founding } = this.#started();
    if (founding.hasCandidate || !(await this.#drawCandidate(attempt))) return;
    if (this.#deps.solo) await founding.found();
    await this.#introduction.announce();
    await this.#introduction.tell([]);
  }

  #makeParts(): Parts {
    const { clock, log, identity, emit, transport, sign, verify } = this.#deps;
    const shared = { clock, log, identity, emit, transport, sign, verify, store: this.#store, table: this.#table };
    const gossip = new RecordGossip(
      { maxPerMinute: this.#config.maxRecordsPerMinute },
      { ...shared, describe: describePeer },
    );
    const founding: Founding = new Founding(
      { pin: this.#config.network, settleMs: this.#config.settleMs, application: this.#application },
      {
        ...shared,
        changed: async ({ digest }) => {
          this.#leader.forget();
          this.#table.changeNetwork(digest);
          await this.#guarded('tell the network', async () => {
            await this.#introduction.announce();
            await this.#introduction.tell([]);
            await gossip.renew(digest, this.#introduction.address);
          });
        },
      },
    );
    const { chain, txpool, random } = this.#deps;
    const admission = new Admission(this.#config, { ...shared, founding, chain, txpool, random });
    return { founding, gossip, admission };
  }

  #started(): Parts {
    if (this.#parts === undefined) throw new TypeError('p2p is used before its start');
    return this.#parts;
  }

  /** Runs what nobody waits for: a failure is tried again at the next turn. */
  async #guarded(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#deps.log.debug(`p2p could not ${what}`, { reason: messageOf(error) });
    }
  }
}
