import {
  failure,
  Transport as TransportRole,
  type Call,
  type Clock,
  type Hello,
  type Log,
  type Metrics,
  type NodeIdentity,
  type Nothing,
  type NoticeDefinition,
  type Session,
  type SignatureCheck,
  type Transport,
} from '@it-chain/contracts';
import { Admission } from './admission.js';
import { formatEndpoint, isAnyHost, isLoopback, parseDialTarget, parseEndpoint, type DialTarget } from './address.js';
import { BanList } from './ban-list.js';
import { ControlReader } from './control-reader.js';
import { asPeerError, goodbyeOfError } from './goodbye.js';
import { handshake, isBreach, type Proven } from './handshake.js';
import { keptCertificate } from './kept-certificate.js';
import type { PeerCertificate } from './peer-certificate.js';
import { openLink } from './peer-dialer.js';
import type { PeerLink } from './peer-link.js';
import { PeerListener } from './peer-listener.js';
import { encodeMessage } from './peer-messages.js';
import { PeerMetrics } from './peer-metrics.js';
import { PeerSession, type PeerSessionEvents } from './peer-session.js';
import type { PeersConfig } from './peers-config.js';
import { SessionTable } from './session-table.js';

/** What the sessions need of their node; a plugin's context has all of it. */
export interface PeerTransportDependencies {
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whose data directory keeps the certificate; without it one is made for each start. */
  readonly node?: { readonly dataDir: string };
  /** Random bytes of a length. */
  random(length: number): Uint8Array;
  /** Signs with the key of the node: 64 bytes. */
  sign(domain: string, network: Uint8Array, content: Uint8Array): Promise<Uint8Array>;
  /** One verdict per signature, in order. */
  verify(checks: readonly SignatureCheck[]): Promise<boolean[]>;
  /** Publishes an event or sends a transient message. */
  emit<B>(notice: NoticeDefinition<B>, body: B): Promise<void>;
}

/** Time that goodbyes have when the node stops, in ms. */
const CLOSE_MS = 700;
/** Proved connections of one peer that may wait for their admission. */
const MAX_ADMITTING = 2;

/** The role `transport`: authenticated sessions to other nodes over gRPC. */
export class PeerTransport implements Transport {
  readonly #options: PeersConfig;
  readonly #deps: PeerTransportDependencies;
  readonly #table = new SessionTable();
  readonly #bans: BanList;
  readonly #metrics: PeerMetrics;
  readonly #admission: Admission;
  readonly #dials = new Map<string, Promise<PeerSession>>();
  readonly #admitting = new Map<string, number>();
  readonly #links = new Set<PeerLink>();
  readonly #events: PeerSessionEvents;
  #listener: PeerListener | undefined;
  #listening = '';
  #sessions = 0;
  #stopping = false;
  #hello: Hello;
  #told: Promise<void> = Promise.resolve();

  constructor(options: PeersConfig, dependencies: PeerTransportDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#bans = new BanList(options.limits);
    this.#metrics = new PeerMetrics(dependencies.metrics);
    this.#hello = {
      genesis: new Uint8Array(0),
      height: 0,
      name: dependencies.identity.name,
      addresses: [],
      candidate: new Uint8Array(0),
      leader: new Uint8Array(0),
    };
    this.#admission = new Admission({
      ownId: dependencies.identity.nodeId,
      probeMs: options.limits.probeMs,
      clock: dependencies.clock,
      table: this.#table,
      room: (direction) => {
        this.#room(direction);
      },
      open: (link, proven) => this.#open(link, proven),
    });
    this.#events = this.#sessionEvents();
  }

  /**
   * Opens the door for other nodes. The result closes it and ends every session.
   * @throws ERR_GATEWAY_LISTEN
   */
  async accept(): Promise<() => Promise<void>> {
    const listener = new PeerListener(this.#options, {
      clock: this.#deps.clock,
      certificate: () => this.#certificate(),
      allowed: (remote) => this.#bans.remaining(remote, this.#now()) === 0,
      linked: (link, done, refused) => void this.#welcome(link, done, refused),
      breach: (remote, reason) => {
        this.#deps.log.debug('a connection that is no peer', { remote, reason });
        this.#breach(remote, reason);
      },
    });
    this.#listening = await listener.listen();
    this.#listener = listener;
    this.#deps.log.info('peers are accepted', { listen: this.#listening, advertise: this.#advertised() });
    return () => this.close();
  }

  #certificate(): Promise<PeerCertificate> {
    const { node, log } = this.#deps;
    // Its library takes 10 MB, and is needed neither between nodes of one machine nor where a certificate is kept.
    const make = async (): Promise<PeerCertificate> => (await import('./peer-certificate.js')).makePeerCertificate();
    return node === undefined ? make() : keptCertificate(node.dataDir, make, log);
  }

  /** Ends every session with ERR_PEER_STOPPING and takes no more. */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#listener?.close();
    const goodbye = { code: 'ERR_PEER_STOPPING', reason: 'the node is stopping' };
    for (const session of this.#table.all()) session.close(goodbye.code, goodbye.reason);
    for (const link of this.#links) link.leave(goodbye);
    const gone = Promise.all([...this.#links].map((link) => link.gone));
    await Promise.race([gone, this.#deps.clock.sleep(CLOSE_MS)]);
    for (const link of this.#links) link.destroy();
    await this.#told;
  }

  /** The call `peer.announce`. */
  announce({ hello }: { hello: Hello }): Promise<Nothing> {
    this.#hello = hello;
    return Promise.resolve({});
  }

  /** The call `peer.dial`. */
  async dial({ address }: { address: string }): Promise<Session> {
    const target = parseDialTarget(address);
    if (target.nodeId === this.#deps.identity.nodeId) throw failure('ERR_PEER_SELF', `${address} is this node itself`);
    const open = this.#openSession(target);
    if (open !== undefined) return open.facts;
    let dialling = this.#dials.get(address);
    if (dialling === undefined) {
      this.#room('outbound');
      dialling = this.#dial(target).finally(() => this.#dials.delete(address));
      this.#dials.set(address, dialling);
    }
    return (await dialling).facts;
  }

  /** The call `peer.disconnect`. */
  async disconnect(request: { nodeId: string; code: string; reason: string }): Promise<Nothing> {
    const session = this.#required(request.nodeId);
    // Whoever reads the messages may find the breach that the gateway cannot see.
    if (request.code === 'ERR_PEER_PROTOCOL') this.#breach(request.nodeId, request.reason);
    session.close(request.code, request.reason);
    await this.#told;
    return {};
  }

  /** The call `message.deliver`. */
  deliver(request: {
    peers: readonly string[];
    kind: string;
    body: Uint8Array;
    lane: 'control' | 'bulk';
  }): Promise<{ peers: number }> {
    const { peers, kind, body, lane } = request;
    this.#checkSize(body);
    const sessions = peers.length === 0 ? this.#table.all() : [...new Set(peers)].map((id) => this.#table.get(id));
    // Nothing is encoded for peers that cannot take it; a full control lane is for the session to judge.
    const able = sessions.filter((session) => lane === 'control' || session?.hasRoom(lane, body.length) === true);
    if (able.length === 0) return Promise.resolve({ peers: 0 });
    const head = { type: 'message', kind, id: 0, timeoutMs: 0, errorCode: '', errorMessage: '' } as const;
    const message = encodeMessage(head, body);
    const reached = able.filter((session) => session?.send(lane, message) === true);
    return Promise.resolve({ peers: reached.length });
  }

  /** The call `peer.fetch`. */
  async fetch(request: { peer: string; kind: string; body: Uint8Array }, call?: Call): Promise<{ body: Uint8Array }> {
    const session = this.#required(request.peer);
    this.#checkSize(request.body);
    const timeoutMs = Math.max(1, Math.floor(call?.timeoutMs ?? TransportRole.calls.fetch.timeoutMs));
    return { body: await session.fetch(request.kind, request.body, timeoutMs, call?.signal) };
  }

  /** The call `peer.answer`. */
  answer(request: { requestId: string; body: Uint8Array; errorCode: string; errorMessage: string }): Promise<Nothing> {
    const [number, id] = request.requestId.split('.').map(Number);
    const session = number === undefined ? undefined : this.#table.byNumber(number);
    if (session === undefined || id === undefined) {
      throw failure('ERR_PEER_NOT_CONNECTED', `the session of the request ${request.requestId} is gone`);
    }
    if (request.body.length > this.#options.limits.messageBytes) {
      session.answer(id, new Uint8Array(0), 'ERR_PEER_TOO_LARGE', 'the answer is too long for one message');
      this.#checkSize(request.body);
    }
    session.answer(id, request.body, request.errorCode, request.errorMessage);
    return Promise.resolve({});
  }

  /** The call `peer.sessions`. */
  sessions(): Promise<{ sessions: readonly Session[] }> {
    return Promise.resolve({ sessions: this.#table.all().map((session) => session.facts) });
  }

  /** The call `peer.status`. */
  status(): Promise<{ listening: string; advertised: string; insecure: boolean }> {
    const { insecure } = this.#options;
    return Promise.resolve({ listening: this.#listening, advertised: this.#advertised(), insecure });
  }

  async #dial(target: DialTarget): Promise<PeerSession> {
    try {
      const link = this.#track(await openLink(target, this.#options, this.#deps.clock));
      return await this.#establish(link, target.nodeId);
    } catch (error) {
      const known = asPeerError(error);
      this.#metrics.dialFailed(known.code);
      throw known;
    }
  }

  /** A connection that another node opened. */
  async #welcome(link: PeerLink, done: () => void, refused: Error | undefined): Promise<void> {
    this.#track(link);
    try {
      if (refused !== undefined) throw refused;
      await this.#establish(link, undefined);
    } catch (error) {
      const known = asPeerError(error);
      this.#metrics.refused(known.code);
      this.#deps.log.debug('a connection was refused', {
        remote: link.address,
        code: known.code,
        reason: known.message,
      });
      if (refused !== undefined) link.leave(goodbyeOfError(refused));
    } finally {
      done();
    }
  }

  /** Handshake and admission; whatever goes wrong ends the connection with a goodbye. */
  async #establish(link: PeerLink, pinned: string | undefined): Promise<PeerSession> {
    const { limits } = this.#options;
    const reader = new ControlReader(link, this.#deps.clock);
    try {
      reader.limit(limits.handshakeMs, 'the handshake');
      const proven = await handshake(link, reader, pinned, {
        ...this.#handshakeDependencies(),
        hello: () => this.#helloNow(),
      });
      const banned = this.#bans.remaining(proven.nodeId, this.#now());
      if (banned > 0) {
        throw failure('ERR_PEER_BANNED', `${proven.nodeId} is banned for ${Math.ceil(banned / 1_000)} s more`);
      }
      reader.limit(2 * limits.probeMs, 'the admission');
      return await this.#admit(link, reader, proven);
    } catch (error) {
      const known = asPeerError(error);
      if (known.data?.['toldByPeer'] === true) {
        link.destroy();
      } else {
        if (isBreach(known)) this.#breach(link.remote, known.message);
        link.leave(goodbyeOfError(known));
      }
      throw known;
    } finally {
      reader.cancelLimit();
    }
  }

  async #admit(link: PeerLink, reader: ControlReader, proven: Proven): Promise<PeerSession> {
    const { nodeId } = proven;
    const count = this.#admitting.get(nodeId) ?? 0;
    if (count >= MAX_ADMITTING && link.direction === 'inbound') {
      throw failure('ERR_PEER_DUPLICATE', `${nodeId} has ${count} connections that wait already`);
    }
    this.#admitting.set(nodeId, count + 1);
    try {
      return await this.#admission.admit(link, reader, proven);
    } finally {
      const left = (this.#admitting.get(nodeId) ?? 1) - 1;
      if (left === 0) this.#admitting.delete(nodeId);
      else this.#admitting.set(nodeId, left);
    }
  }

  #open(link: PeerLink, { nodeId, publicKey, hello }: Proven): PeerSession {
    this.#sessions += 1;
    const { direction, address } = link;
    const facts: Session = { nodeId, publicKey, address, direction, since: this.#deps.clock.now(), hello };
    const session = new PeerSession(
      { facts, number: this.#sessions, limits: this.#options.limits },
      { link, clock: this.#deps.clock, events: this.#events },
    );
    this.#table.add(session);
    this.#count();
    this.#deps.log.info('a peer is connected', { peer: nodeId, address, direction, security: link.security });
    this.#tell(TransportRole.events.connected, facts);
    session.start();
    return session;
  }

  #sessionEvents(): PeerSessionEvents {
    return {
      message: ({ nodeId: from, facts: { publicKey } }, kind, body) => {
        void this.#deps.emit(TransportRole.events.received, { from, publicKey, kind, body });
      },
      asked: ({ nodeId: from, facts: { publicKey }, number }, id, kind, body) => {
        void this.#deps.emit(TransportRole.events.asked, { from, publicKey, requestId: `${number}.${id}`, kind, body });
      },
      closed: (session, { code, reason, breach }) => {
        this.#table.remove(session);
        this.#count();
        if (breach) this.#breach(session.nodeId, reason);
        this.#deps.log.info('a peer is gone', { peer: session.nodeId, code, reason });
        this.#tell(TransportRole.events.disconnected, { nodeId: session.nodeId, code, reason });
      },
      sent: (kind, bytes) => {
        this.#metrics.sent(kind, bytes);
      },
      received: (kind, bytes) => {
        this.#metrics.received(kind, bytes);
      },
    };
  }

  /** Connected and disconnected go out one after the other, so that nobody sees them in another order. */
  #tell<B>(notice: NoticeDefinition<B>, body: B): void {
    this.#told = this.#told.then(() => this.#deps.emit(notice, body));
  }

  #breach(subject: string, reason: string): void {
    if (subject === '' || isLoopback(subject)) return;
    const ms = this.#bans.breach(subject, this.#now());
    if (ms === 0) return;
    this.#metrics.banned();
    this.#deps.log.warn('a peer is banned', { peer: subject, seconds: Math.round(ms / 1_000), reason });
  }

  #room(direction: 'inbound' | 'outbound'): void {
    if (this.#stopping) throw failure('ERR_PEER_STOPPING', 'the node is stopping');
    const most = this.#options.limits[direction];
    if (this.#table.count(direction) >= most) {
      throw failure('ERR_PEER_LIMIT', `the node has ${most} ${direction} sessions`, { retryable: true });
    }
  }

  #openSession({ nodeId, host, port }: DialTarget): PeerSession | undefined {
    if (nodeId !== undefined) return this.#table.get(nodeId);
    const address = formatEndpoint({ host, port });
    return this.#table.all().find(({ facts }) => facts.direction === 'outbound' && facts.address === address);
  }

  #required(nodeId: string): PeerSession {
    const session = this.#table.get(nodeId);
    if (session === undefined) {
      throw failure('ERR_PEER_NOT_CONNECTED', `there is no session to ${nodeId}`, { retryable: true });
    }
    return session;
  }

  #checkSize(body: Uint8Array): void {
    const most = this.#options.limits.messageBytes;
    if (body.length > most) {
      throw failure('ERR_PEER_TOO_LARGE', `a message of ${body.length} bytes where ${most} are allowed`);
    }
  }

  #handshakeDependencies(): Pick<PeerTransportDependencies, 'identity' | 'random' | 'sign' | 'verify'> {
    const { identity } = this.#deps;
    return {
      identity,
      random: (length) => this.#deps.random(length),
      sign: (domain, network, content) => this.#deps.sign(domain, network, content),
      verify: (checks) => this.#deps.verify(checks),
    };
  }

  #helloNow(): Hello {
    const advertised = this.#advertised();
    return this.#hello.addresses.length > 0 || advertised === ''
      ? this.#hello
      : { ...this.#hello, addresses: [advertised] };
  }

  /** The address to dial: as configured, with the bound port in place of 0; empty while it is not known. */
  #advertised(): string {
    const wanted = parseEndpoint(this.#options.advertise ?? this.#options.listen);
    if (wanted === undefined || isAnyHost(wanted.host)) return '';
    const port = wanted.port === 0 ? parseEndpoint(this.#listening)?.port : wanted.port;
    return port === undefined ? '' : formatEndpoint({ host: wanted.host, port });
  }

  #track(link: PeerLink): PeerLink {
    this.#links.add(link);
    void link.gone.then(() => this.#links.delete(link));
    return link;
  }

  #count(): void {
    this.#metrics.peers(this.#table.count('inbound'), this.#table.count('outbound'));
  }

  #now(): number {
    return this.#deps.clock.monotonic();
  }
}
