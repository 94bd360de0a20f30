import { textList } from '../broker/dead-letter.js';
import { type Exchange } from '../broker/exchange.js';
import { type Message, type RouteName } from '../broker/message.js';
import { type PublishOutcome } from '../broker/virtual-host.js';
import { Cursor } from '../wire/cursor.js';
import { ContentHeader, encodeHeaders, encodeText, type PropertyName } from '../wire/content-header.js';
import { REPLY_CODES, ReplyError } from '../wire/reply-error.js';
import { ContentAssembler } from './content-assembler.js';
import { checkAccess, checkKey, type Session } from './session.js';

/** The pseudo queue of direct reply-to. */
export const DIRECT_REPLY_TO = 'amq.rabbitmq.reply-to';
/** Class, method and ticket come before exchange and routing key in basic.publish. */
const ROUTE_AT = 6;
const MAX_TTL = 0xffffffff;

type State = 'idle' | 'header' | 'body';

/** The publishing side of a channel: takes basic.publish and its content, routes the message, confirms it. */
export class Publisher {
  /** Where replies to this channel go: the address of its direct reply-to consumer. */
  replyAddress: string | undefined;
  readonly #session: Session;
  readonly #channel: number;
  readonly #header = new ContentHeader();
  readonly #assembler: ContentAssembler;
  #state: State = 'idle';
  #route: RouteName | undefined;
  #mandatory = false;
  #routingKeys: readonly string[] = [];
  #ttl: number | undefined;
  #priority = 0;
  #confirming = false;
  #published = 0;
  #confirmed = 0;
  #flushPending = false;
  #checkedExchange: Exchange | undefined;
  #checkedEpoch = -1;

  constructor(session: Session, channel: number) {
    this.#session = session;
    this.#channel = channel;
    this.#assembler = new ContentAssembler(session.services.gauge);
  }

  /** Whether a content is incomplete, so that no method may come now. */
  get expectsContent(): boolean {
    return this.#state !== 'idle';
  }

  /** Confirms are on from now (confirm.select). */
  enableConfirms(): void {
    this.#confirming = true;
  }

  /** Takes the payload of basic.publish; decoded here by hand because it is by far the most frequent method. */
  publish(bytes: Buffer, start: number, end: number): void {
    const at = start + ROUTE_AT;
    const keyAt = at < end ? at + 1 + bytes.readUInt8(at) : end;
    const flagsAt = keyAt < end ? keyAt + 1 + bytes.readUInt8(keyAt) : end;
    if (flagsAt + 1 !== end) throw new ReplyError('SYNTAX_ERROR', 'basic.publish has a wrong length');
    const flags = bytes.readUInt8(flagsAt);
    if ((flags & 2) !== 0) throw new ReplyError('NOT_IMPLEMENTED', 'immediate=true');
    this.#mandatory = (flags & 1) === 1;
    const last = this.#route;
    const same = last?.bytes.length === flagsAt - at && bytes.compare(last.bytes, 0, flagsAt - at, at, flagsAt) === 0;
    if (!same) {
      const route = new Cursor(bytes, at, flagsAt);
      this.#route = {
        exchange: route.shortstr(),
        routingKey: route.shortstr(),
        bytes: Buffer.from(bytes.subarray(at, flagsAt)),
      };
    }
    this.#state = 'header';
  }

  /** Takes a header frame. */
  header(bytes: Buffer, start: number, end: number): void {
    const route = this.#route;
    if (this.#state !== 'header' || route === undefined) {
      throw new ReplyError('UNEXPECTED_FRAME', 'content header without a method that carries content');
    }
    const header = this.#header.scan(bytes, start, end);
    const most = this.#session.services.options.maxMessageBytes;
    if (header.bodySize > most) {
      throw new ReplyError('PRECONDITION_FAILED', `message of ${header.bodySize} octets; at most ${most} are allowed`);
    }
    this.#readProperties(header, route);
    const changes = this.#headerChanges(header);
    const content = changes === undefined ? undefined : header.rewrite(changes);
    this.#state = 'body';
    this.#session.notePublish();
    const message =
      content === undefined
        ? this.#assembler.begin(route, bytes, start, end, header.bodySize)
        : this.#assembler.begin(route, content, 0, content.length, header.bodySize);
    if (message !== undefined) this.#complete(message);
  }

  /** Takes a body frame. */
  body(bytes: Buffer, start: number, end: number): void {
    if (this.#state !== 'body') throw new ReplyError('UNEXPECTED_FRAME', 'body without a content header');
    const message = this.#assembler.add(bytes, start, end);
    if (message !== undefined) this.#complete(message);
  }

  #readProperties(header: ContentHeader, route: RouteName): void {
    const { user } = this.#session;
    this.#routingKeys = [route.routingKey];
    const userId = header.text('userId');
    if (userId !== undefined && userId !== user.name && !user.impersonator) {
      const text = `user_id property set to '${userId}' but authenticated user was '${user.name}'`;
      throw new ReplyError('PRECONDITION_FAILED', text);
    }
    const expiration = header.text('expiration');
    this.#ttl = expiration === undefined ? undefined : parseExpiration(expiration);
    this.#priority = header.octet('priority') ?? 0;
  }

  /** What of the header has to be changed before it is sent on; undefined, the usual case, for nothing. */
  #headerChanges(header: ContentHeader): Map<PropertyName, Buffer | null> | undefined {
    const changes = new Map<PropertyName, Buffer | null>();
    if (header.has('replyTo') && header.text('replyTo') === DIRECT_REPLY_TO) {
      if (this.replyAddress === undefined) {
        throw new ReplyError('PRECONDITION_FAILED', 'fast reply consumer does not exist');
      }
      changes.set('replyTo', encodeText(this.replyAddress));
    }
    if (header.hasCopies) this.#readCopies(header, changes);
    return changes.size === 0 ? undefined : changes;
  }

  #readCopies(header: ContentHeader, changes: Map<PropertyName, Buffer | null>): void {
    const headers = header.headers();
    const keys = ['CC', 'BCC'].flatMap((name) => {
      const field = headers.get(name);
      if (field !== undefined && field.type !== 'A') {
        throw new ReplyError(
          'PRECONDITION_FAILED',
          `unexpected type of the ${name} header; an array of strings is needed`,
        );
      }
      return textList(field);
    });
    this.#routingKeys = [...this.#routingKeys, ...keys];
    if (headers.delete('BCC')) changes.set('headers', encodeHeaders(headers));
  }

  #complete(message: Message): void {
    const session = this.#session;
    this.#state = 'idle';
    message.ttl = this.#ttl;
    message.priority = this.#priority;
    session.services.counters.published++;
    const outcome = this.#deliver(message);
    if (outcome === 'unroutable' && this.#mandatory) this.#return(message);
    if (outcome === 'rejected') session.services.counters.rejected++;
    if (this.#confirming) this.#confirm(outcome !== 'rejected');
  }

  #deliver(message: Message): PublishOutcome {
    const { vhost, services } = this.#session;
    const exchange = this.#exchange(message.route.exchange);
    if (this.#session.user.routingKeys !== undefined) {
      for (const key of this.#routingKeys) checkKey(this.#session, 'write', exchange.name, key);
    }
    if (services.gauge.used > services.options.memoryLimitBytes) {
      if (this.#confirming) return 'rejected';
      throw new ReplyError('RESOURCE_ERROR', 'memory limit reached', false);
    }
    return vhost.deliver(vhost.route(exchange, this.#routingKeys, message), message);
  }

  /** The exchange, once its existence and the permission are checked; kept until the topology changes. */
  #exchange(name: string): Exchange {
    const { vhost } = this.#session;
    const known = this.#checkedExchange;
    if (known?.name === name && this.#checkedEpoch === vhost.router.epoch) return known;
    const exchange = vhost.exchange(name);
    checkAccess(this.#session, 'write', 'exchange', name);
    if (exchange.properties.internal) {
      throw new ReplyError('ACCESS_REFUSED', `cannot publish to internal ${vhost.describe('exchange', name)}`);
    }
    this.#checkedExchange = exchange;
    this.#checkedEpoch = vhost.router.epoch;
    return exchange;
  }

  #return(message: Message): void {
    const { output, services } = this.#session;
    services.counters.returned++;
    const { exchange, routingKey } = message.route;
    const reason = { replyCode: REPLY_CODES.NO_ROUTE, replyText: 'NO_ROUTE' };
    output.method(this.#channel, 'basic.return', { ...reason, exchange, routingKey });
    output.content(this.#channel, message);
  }

  #confirm(positive: boolean): void {
    if (!positive) {
      this.flushConfirms();
      const deliveryTag = (this.#confirmed = ++this.#published);
      this.#session.output.method(this.#channel, 'basic.nack', { deliveryTag, multiple: false, requeue: false });
      return;
    }
    this.#published++;
    if (this.#flushPending) return;
    this.#flushPending = true;
    this.#session.atEndOfInput(this.flushConfirms);
  }

  /** Sends the confirms not sent so far, as one frame. */
  readonly flushConfirms = (): void => {
    this.#flushPending = false;
    const count = this.#published - this.#confirmed;
    if (count === 0) return;
    this.#confirmed = this.#published;
    this.#session.services.counters.confirmed += count;
    this.#session.output.ack(this.#channel, this.#published, count > 1);
  };

  /** Forgets a message begun; the channel closes. */
  abort(): void {
    this.#state = 'idle';
    this.#assembler.abort();
  }
}

function parseExpiration(text: string): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : NaN;
  if (value <= MAX_TTL) return value;
  throw new ReplyError('PRECONDITION_FAILED', `invalid expiration '${text}': a number of milliseconds is needed`);
}
