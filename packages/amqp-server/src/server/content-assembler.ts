import { allocateWire, INLINE_BODY, Message, type RouteName } from '../broker/message.js';
import { type MemoryGauge } from '../broker/memory-gauge.js';
import { ReplyError } from '../wire/reply-error.js';

/** Small body frames are gathered in blocks of this size. */
const BLOCK = 65_536;

/** Puts one message together from its header and body frames; what it holds counts as memory in use. */
export class ContentAssembler {
  readonly #gauge: MemoryGauge;
  #route: RouteName | undefined;
  #wire: Buffer = Buffer.alloc(0);
  #headerLength = 0;
  #bodySize = 0;
  #remaining = 0;
  #chunks: Buffer[] | undefined;
  #block: Buffer | undefined;
  #blockLength = 0;
  #counted = 0;

  constructor(gauge: MemoryGauge) {
    this.#gauge = gauge;
  }

  /** Begins a message. Returns it when it has no body. */
  begin(route: RouteName, header: Buffer, start: number, end: number, bodySize: number): Message | undefined {
    const inline = bodySize <= INLINE_BODY;
    this.#route = route;
    this.#headerLength = end - start;
    this.#bodySize = this.#remaining = bodySize;
    this.#wire = allocateWire(route, this.#headerLength, inline ? bodySize : 0);
    header.copy(this.#wire, route.bytes.length + 8, start, end);
    this.#chunks = inline ? undefined : [];
    this.#count(this.#wire.length);
    return bodySize === 0 ? this.#finish(route) : undefined;
  }

  /** Adds a body frame. Returns the message when it is complete; throws 501 for more than was announced. */
  add(bytes: Buffer, start: number, end: number): Message | undefined {
    const length = end - start;
    const route = this.#route;
    if (route === undefined) throw new ReplyError('UNEXPECTED_FRAME', 'body without a content header');
    if (length > this.#remaining) {
      throw new ReplyError('FRAME_ERROR', `body longer than the ${this.#bodySize} octets announced`);
    }
    if (this.#chunks === undefined) bytes.copy(this.#wire, this.#wire.length - 1 - this.#remaining, start, end);
    else this.#addChunk(this.#chunks, bytes, start, end);
    this.#remaining -= length;
    return this.#remaining === 0 ? this.#finish(route) : undefined;
  }

  #addChunk(chunks: Buffer[], bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > INLINE_BODY) {
      this.#sealBlock(chunks);
      chunks.push(bytes.subarray(start, end));
      this.#count(length);
      return;
    }
    for (let at = start; at < end;) {
      if (this.#block === undefined) {
        this.#block = Buffer.allocUnsafe(Math.min(BLOCK, this.#remaining - (at - start)));
        this.#blockLength = 0;
        this.#count(this.#block.length);
      }
      const copied = bytes.copy(this.#block, this.#blockLength, at, end);
      at += copied;
      this.#blockLength += copied;
      if (this.#blockLength === this.#block.length) this.#sealBlock(chunks);
    }
  }

  #sealBlock(chunks: Buffer[]): void {
    if (this.#block !== undefined && this.#blockLength > 0) chunks.push(this.#block.subarray(0, this.#blockLength));
    this.#block = undefined;
  }

  #finish(route: RouteName): Message {
    if (this.#chunks !== undefined) this.#sealBlock(this.#chunks);
    const message = new Message(route, this.#wire, this.#headerLength, this.#bodySize, this.#chunks);
    this.abort();
    return message;
  }

  /** Forgets a message that will not be completed. */
  abort(): void {
    this.#route = undefined;
    this.#chunks = undefined;
    this.#block = undefined;
    this.#gauge.subtract(this.#counted);
    this.#counted = 0;
  }

  #count(octets: number): void {
    this.#counted += octets;
    this.#gauge.add(octets);
  }
}
