import { ContentHeader } from '../wire/content-header.js';
import { FRAME } from '../wire/spec.js';

/** What a message costs beside its octets (objects, queue slots), so that a flood of empty ones is bounded too. */
export const MESSAGE_OVERHEAD = 400;
/** Up to this size a body is copied next to its header; larger ones stay in the buffers they were read into. */
export const INLINE_BODY = 8192;

const HEADER_FRAME_START = 7;

/** Exchange and routing key of a publish, decoded and as the two short strings that every delivery repeats. */
export interface RouteName {
  readonly exchange: string;
  readonly routingKey: string;
  readonly bytes: Buffer;
}

/** Makes a route name; both parts are at most 255 octets long because they came in short strings. */
export function routeName(exchange: string, routingKey: string): RouteName {
  const bytes = Buffer.concat([shortString(exchange), shortString(routingKey)]);
  return { exchange, routingKey, bytes };
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/**
 * A published message, kept in the form it leaves in: exchange and routing key, frame end, header frame, body frame.
 * A delivery is then one copy, with the channel number patched in. Bodies above `INLINE_BODY` are in `chunks`.
 */
export class Message {
  /** Octets charged to the memory watermark while at least one queue holds the message. */
  readonly size: number;
  /** Number of queue entries that hold the message. */
  references = 0;
  /** Milliseconds from the expiration property; undefined for none. */
  ttl: number | undefined;
  /** The priority property. */
  priority = 0;

  constructor(
    readonly route: RouteName,
    readonly wire: Buffer,
    readonly headerLength: number,
    readonly bodySize: number,
    readonly chunks: readonly Buffer[] | undefined,
  ) {
    this.size = wire.length + (chunks === undefined ? 0 : bodySize) + MESSAGE_OVERHEAD;
  }

  /** Position of the header frame in `wire`. */
  get headerFrameAt(): number {
    return this.route.bytes.length + 1;
  }

  /** Position of the body frame in `wire`; there is one only when the body is inline and not empty. */
  get bodyFrameAt(): number {
    return this.headerFrameAt + this.headerLength + FRAME.overhead;
  }

  /** The scanned content header. */
  header(): ContentHeader {
    const start = this.headerFrameAt + HEADER_FRAME_START;
    return new ContentHeader().scan(this.wire, start, start + this.headerLength);
  }

  /** The same content under another route and header (dead letters, removed BCC, delivery count). */
  with(route: RouteName, header: Buffer): Message {
    const inline = this.chunks === undefined && this.bodySize > 0;
    const wire = allocateWire(route, header.length, inline ? this.bodySize : 0);
    header.copy(wire, route.bytes.length + 1 + HEADER_FRAME_START);
    const message = new Message(route, wire, header.length, this.bodySize, this.chunks);
    message.priority = this.priority;
    if (inline)
      this.wire.copy(wire, message.bodyFrameAt + 7, this.bodyFrameAt + 7, this.bodyFrameAt + 7 + this.bodySize);
    return message;
  }
}

/** Allocates the wire form with everything filled in but header payload and body (channel numbers are 0). */
export function allocateWire(route: RouteName, headerLength: number, inlineBody: number): Buffer {
  const routeLength = route.bytes.length;
  const bodyFrame = inlineBody === 0 ? 0 : inlineBody + FRAME.overhead;
  const wire = Buffer.allocUnsafe(routeLength + 1 + headerLength + FRAME.overhead + bodyFrame);
  wire.set(route.bytes, 0);
  wire[routeLength] = FRAME.end;
  const headerAt = routeLength + 1;
  wire[headerAt] = FRAME.header;
  wire[headerAt + 1] = 0;
  wire[headerAt + 2] = 0;
  wire.writeUInt32BE(headerLength, headerAt + 3);
  const bodyAt = headerAt + headerLength + FRAME.overhead;
  wire[bodyAt - 1] = FRAME.end;
  if (inlineBody > 0) {
    wire[bodyAt] = FRAME.body;
    wire[bodyAt + 1] = 0;
    wire[bodyAt + 2] = 0;
    wire.writeUInt32BE(inlineBody, bodyAt + 3);
    wire[wire.length - 1] = FRAME.end;
  }
  return wire;
}
