import { failure, type Clock, type PeerFrame, type Session } from '@it-chain/contracts';
import { Exchange } from './exchange.js';
import type { FrameStream } from './frame-stream.js';
import { asPeerError, errorOfGoodbye, plainText } from './goodbye.js';
import { OutLane } from './out-lane.js';
import type { PeerLink } from './peer-link.js';
import {
  encodeFrame,
  encodeMessage,
  MessageAssembler,
  type EncodedMessage,
  type ReceivedMessage,
} from './peer-messages.js';
import type { PeerLimits } from './peers-config.js';
import { TokenBucket } from './token-bucket.js';

/** What a session tells its owner. */
export interface PeerSessionEvents {
  message(session: PeerSession, kind: string, body: Uint8Array): void;
  asked(session: PeerSession, id: number, kind: string, body: Uint8Array): void;
  /** Once. `breach` where the peer broke the protocol. */
  closed(session: PeerSession, end: { readonly code: string; readonly reason: string; readonly breach: boolean }): void;
  sent(kind: string, bytes: number): void;
  received(kind: string, bytes: number): void;
}

export type Lane = 'control' | 'bulk';

/** Frames of a lane that the connection may hold unsent: bulk stays short so that control can overtake it. */
const IN_FLIGHT: Record<Lane, number> = { control: 64, bulk: 2 };

/** One authenticated session: both lanes, signs of life, limits. */
export class PeerSession {
  readonly facts: Session;
  readonly number: number;
  readonly #link: PeerLink;
  readonly #limits: PeerLimits;
  readonly #clock: Clock;
  readonly #events: PeerSessionEvents;
  readonly #lanes: Record<Lane, OutLane>;
  readonly #exchange: Exchange;
  readonly #probes = new Map<number, () => void>();
  readonly #paused = new Set<Lane>();
  #pings = 0;
  #heardAt: number;
  #tickedAt: number;
  #closed = false;
  #stopTicking: () => void = () => undefined;

  constructor(
    options: { readonly facts: Session; readonly number: number; readonly limits: PeerLimits },
    dependencies: { readonly link: PeerLink; readonly clock: Clock; readonly events: PeerSessionEvents },
  ) {
    this.facts = options.facts;
    this.number = options.number;
    this.#limits = options.limits;
    this.#link = dependencies.link;
    this.#clock = dependencies.clock;
    this.#events = dependencies.events;
    this.#heardAt = this.#tickedAt = this.#clock.monotonic();
    this.#lanes = {
      control: new OutLane(this.#link.control, IN_FLIGHT.control, this.#clock),
      bulk: new OutLane(this.#link.bulk, IN_FLIGHT.bulk, this.#clock),
    };
    this.#exchange = new Exchange(this.#limits.fetches, {
      clock: this.#clock,
      sendRequest: ({ id, kind, timeoutMs }, body) =>
        this.send(
          'bulk',
          encodeMessage({ type: 'request', kind, id, timeoutMs, errorCode: '', errorMessage: '' }, body),
        ),
      refuse: (id, code, message) => {
        this.#respond(id, new Uint8Array(0), code, message, true);
      },
      asked: (id, kind, body) => {
        this.#events.asked(this, id, kind, body);
      },
    });
  }

  get nodeId(): string {
    return this.facts.nodeId;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that wait for this peer. */
  get sendBytes(): number {
    return this.#lanes.control.bytes + this.#lanes.bulk.bytes;
  }

  /** Begins to read and to watch for signs of life. */
  start(): void {
    this.#stopTicking = this.#clock.every(Math.max(1, Math.floor(this.#limits.pingMs / 2)), () => {
      this.#tick();
    });
    this.#read('control', this.#link.control);
    this.#read('bulk', this.#link.bulk);
  }

  /** True where so many bytes more fit into the budget of the peer. */
  hasRoom(lane: Lane, bytes: number): boolean {
    const all = this.#limits.sendBytes;
    return this.sendBytes + bytes <= (lane === 'control' ? all : all - Math.floor(all / 8));
  }

  /**
   * Queues a message. False where the budget of the peer is used up; a control message past it ends the session,
   * because a peer without votes is no peer. `urgent` lets small bulk messages use the share of control.
   */
  send(lane: Lane, message: EncodedMessage, urgent = false): boolean {
    if (this.#closed) return false;
    if (!this.hasRoom(urgent ? 'control' : lane, message.bytes)) {
      if (lane === 'control') {
        this.close('ERR_PEER_BUSY', `more than ${this.#limits.sendBytes} bytes wait for this peer`);
      }
      return false;
    }
    this.#lanes[lane].push(message.frames);
    this.#events.sent(message.kind, message.bytes);
    return true;
  }

  /** Asks the peer; see {@link Exchange.fetch}. */
  fetch(kind: string, body: Uint8Array, timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#exchange.fetch(kind, body, timeoutMs, signal);
  }

  /** Answers request `id`. @throws ERR_PEER_TIMEOUT where nobody waits any more, ERR_PEER_BUSY */
  answer(id: number, body: Uint8Array, code: string, message: string): void {
    if (!this.#exchange.finish(id)) {
      throw failure('ERR_PEER_TIMEOUT', `the peer does not wait for the answer ${id} any more`);
    }
    if (!this.#respond(id, body, code, message, code !== '')) {
      throw failure('ERR_PEER_BUSY', 'the send budget of the peer is used up', { retryable: true });
    }
  }

  /** True where the peer answers a ping within `ms`. */
  probe(ms: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const nonce = this.#ping();
      const done = (alive: boolean) => (): void => {
        cancel();
        this.#probes.delete(nonce);
        resolve(alive);
      };
      const cancel = this.#clock.after(ms, done(false));
      this.#probes.set(nonce, () => {
        done(!this.#closed)();
      });
    });
  }

  /** Ends the session and tells the peer why. */
  close(code: string, reason: string): void {
    this.#end(code, reason, { tell: true, breach: false });
  }

  #read(lane: Lane, stream: FrameStream): void {
    const bytesLeft = new TokenBucket(this.#limits.bytesPerSecond);
    const framesLeft = new TokenBucket(this.#limits.framesPerSecond);
    const assembler = new MessageAssembler(this.#limits.messageBytes);
    stream.listen({
      frame: (frame, bytes) => {
        if (this.#closed) return;
        const now = this.#clock.monotonic();
        this.#heardAt = now;
        const wait = Math.max(bytesLeft.take(bytes, now), framesLeft.take(1, now));
        if (wait >= 1) this.#rest(lane, stream, wait);
        try {
          this.#take(lane, frame, assembler);
        } catch (error) {
          this.#breach(asPeerError(error));
        }
      },
      closed: (error) => {
        if (error === undefined)
          this.#end('ERR_PEER_LOST', 'the peer closed the connection', { tell: false, breach: false });
        else this.#broken(error);
      },
    });
  }

  /** A peer that sends too fast is read more slowly; it then waits itself. */
  #rest(lane: Lane, stream: FrameStream, ms: number): void {
    stream.pause();
    this.#paused.add(lane);
    this.#clock.after(ms, () => {
      this.#paused.delete(lane);
      if (!this.#closed) stream.resume();
    });
  }

  #take(lane: Lane, frame: PeerFrame, assembler: MessageAssembler): void {
    if (frame.goodbye !== undefined) {
      const { code, reason } = frame.goodbye;
      this.#end(plainText(code, 64) || errorOfGoodbye(frame.goodbye).code, plainText(reason), {
        tell: false,
        breach: false,
      });
    } else if (frame.ping !== undefined) {
      this.#control({ pong: frame.ping });
    } else if (frame.pong !== undefined) {
      this.#probes.get(frame.pong.nonce)?.();
    } else if (Object.keys(frame).length === 0) {
      // A kind of frame that a later version of the protocol knows.
      return;
    } else {
      const message = assembler.push(frame);
      if (message !== undefined) this.#deliver(lane, message);
    }
  }

  #deliver(lane: Lane, message: ReceivedMessage): void {
    this.#events.received(message.kind, message.body.length);
    if (message.type === 'message') this.#events.message(this, message.kind, message.body);
    else if (lane === 'bulk') this.#exchange.receive(message);
    else throw failure('ERR_PEER_PROTOCOL', `a ${message.type} on the control lane`);
  }

  #respond(id: number, body: Uint8Array, errorCode: string, errorMessage: string, urgent: boolean): boolean {
    const head = {
      type: 'response',
      kind: '',
      id,
      timeoutMs: 0,
      errorCode,
      errorMessage: errorMessage.slice(0, 1_024),
    } as const;
    return this.send('bulk', encodeMessage(head, body), urgent);
  }

  #control(frame: PeerFrame): void {
    const encoded = encodeFrame(frame);
    this.send('control', { kind: '', frames: [encoded], bytes: encoded.length });
  }

  #ping(): number {
    this.#pings += 1;
    this.#control({ ping: { nonce: this.#pings } });
    return this.#pings;
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const late = now - this.#tickedAt > this.#limits.pingMs * 2;
    this.#tickedAt = now;
    // This process itself stood still, or chose not to read: the peer's silence says nothing.
    if (late || this.#paused.size > 0) this.#heardAt = Math.max(this.#heardAt, now - this.#limits.pingMs);
    const { deadMs, pingMs, stallMs } = this.#limits;
    const stalled = Math.max(this.#lanes.control.stalledFor(now), this.#lanes.bulk.stalledFor(now));
    if (now - this.#heardAt > deadMs) this.close('ERR_PEER_TIMEOUT', `no sign of life for ${deadMs} ms`);
    else if (stalled > stallMs && !late) this.close('ERR_PEER_BUSY', `the peer reads nothing for ${stallMs} ms`);
    else if (now - this.#heardAt >= pingMs) this.#ping();
  }

  #broken(error: Error): void {
    const known = asPeerError(error);
    if (known.code === 'ERR_PEER_LOST') this.#end(known.code, known.message, { tell: false, breach: false });
    else this.#breach(known);
  }

  #breach(error: { readonly code: string; readonly message: string }): void {
    this.#end(error.code, error.message, { tell: true, breach: true });
  }

  #end(code: string, reason: string, how: { readonly tell: boolean; readonly breach: boolean }): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopTicking();
    this.#lanes.control.clear();
    this.#lanes.bulk.clear();
    if (how.tell) this.#link.leave({ code, reason });
    else this.#link.destroy();
    for (const probe of [...this.#probes.values()]) probe();
    this.#exchange.close(
      failure('ERR_PEER_NOT_CONNECTED', `the session to ${this.nodeId} ended: ${reason}`, { retryable: true }),
    );
    this.#events.closed(this, { code, reason: plainText(reason), breach: how.breach });
  }
}
