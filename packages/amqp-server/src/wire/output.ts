import { type Duplex } from 'node:stream';
import { type Message } from '../broker/message.js';
import { ByteWriter } from './byte-writer.js';
import { encodeMethod } from './method-codec.js';
import { FRAME, type MethodArguments, type MethodName } from './spec.js';

const BLOCK = 65_536;

/**
 * Everything a connection sends. Frames are collected in one block and written once per turn of the event loop, so a
 * burst of deliveries costs one system call. Large bodies are passed on without a copy.
 */
export class Output {
  /** Largest frame the client agreed to. */
  frameMax: number = FRAME.minSize;
  /** Set when something was written since the last heartbeat check. */
  active = false;
  /** Octets handed to the stream so far. */
  octets = 0;
  readonly #stream: Duplex;
  readonly #written: () => void;
  readonly #writer = new ByteWriter();
  #block: Buffer | undefined;
  #start = 0;
  #position = 0;
  #sealed: Buffer[] = [];
  #sealedLength = 0;
  #scheduled = false;
  #ended = false;

  /** `written` is called whenever the stream has taken what was flushed. */
  constructor(stream: Duplex, written: () => void) {
    this.#stream = stream;
    this.#written = written;
  }

  /** Octets collected here or waiting in the stream. */
  get pending(): number {
    return this.#sealedLength + this.#position - this.#start + this.#stream.writableLength;
  }

  /** Sends a method frame. */
  method<M extends MethodName>(channel: number, name: M, values: MethodArguments<M>): void {
    const writer = this.#writer;
    writer.reset();
    encodeMethod(writer, name, values);
    const payload = writer.view();
    const at = this.#reserve(payload.length + FRAME.overhead);
    const block = this.#current();
    writeHead(block, at, FRAME.method, channel, payload.length);
    block.set(payload, at + 7);
    block[at + 7 + payload.length] = FRAME.end;
  }

  /** Sends a heartbeat frame. */
  heartbeat(): void {
    const at = this.#reserve(FRAME.overhead);
    const block = this.#current();
    writeHead(block, at, FRAME.heartbeat, 0, 0);
    block[at + 7] = FRAME.end;
  }

  /** Sends raw octets (the protocol header). */
  raw(bytes: Buffer): void {
    const at = this.#reserve(bytes.length);
    this.#current().set(bytes, at);
  }

  /** Sends basic.deliver with its content. `prefix` is the frame up to the consumer tag, made by `deliverPrefix`. */
  deliver(prefix: Buffer, channel: number, tag: number, redelivered: boolean, message: Message): void {
    const routeLength = message.route.bytes.length;
    const at = this.#reserve(prefix.length + 9);
    const block = this.#current();
    block.set(prefix, at);
    block.writeUInt32BE(prefix.length - 7 + 9 + routeLength, at + 3);
    const tagAt = at + prefix.length;
    block.writeUInt32BE(Math.floor(tag / 0x100000000), tagAt);
    block.writeUInt32BE(tag >>> 0, tagAt + 4);
    block[tagAt + 8] = redelivered ? 1 : 0;
    this.#content(channel, message, 0);
  }

  /** Sends the header and body frames of a message, behind a method written with `method`. */
  content(channel: number, message: Message): void {
    this.#content(channel, message, message.headerFrameAt);
  }

  #content(channel: number, message: Message, from: number): void {
    const { wire, chunks, bodySize } = message;
    const headerAt = message.headerFrameAt;
    const bodyAt = message.bodyFrameAt;
    const inline = chunks === undefined && bodySize > 0;
    if (inline && bodySize + FRAME.overhead > this.frameMax) {
      this.#copyWire(wire, from, bodyAt, headerAt, channel);
      this.#body(channel, wire.subarray(bodyAt + 7, bodyAt + 7 + bodySize));
      return;
    }
    const at = this.#copyWire(wire, from, wire.length, headerAt, channel);
    if (inline) this.#current().writeUInt16BE(channel, at + bodyAt - from + 1);
    if (chunks !== undefined) for (const chunk of chunks) this.#body(channel, chunk);
  }

  #copyWire(wire: Buffer, from: number, to: number, headerAt: number, channel: number): number {
    const at = this.#reserve(to - from);
    const block = this.#current();
    block.set(from === 0 && to === wire.length ? wire : wire.subarray(from, to), at);
    block.writeUInt16BE(channel, at + headerAt - from + 1);
    return at;
  }

  #body(channel: number, chunk: Buffer): void {
    const most = this.frameMax - FRAME.overhead;
    for (let from = 0; from < chunk.length; from += most) {
      const part = chunk.length <= most ? chunk : chunk.subarray(from, Math.min(from + most, chunk.length));
      const at = this.#reserve(7);
      writeHead(this.#current(), at, FRAME.body, channel, part.length);
      this.#external(part);
      const endAt = this.#reserve(1);
      this.#current()[endAt] = FRAME.end;
    }
  }

  /** Sends basic.ack (a publisher confirm). */
  ack(channel: number, tag: number, multiple: boolean): void {
    this.method(channel, 'basic.ack', { deliveryTag: tag, multiple });
  }

  /** Writes what was collected to the stream now. */
  flush(): void {
    this.#scheduled = false;
    this.#seal();
    const buffers = this.#sealed;
    if (buffers.length === 0) return;
    this.#sealed = [];
    this.octets += this.#sealedLength;
    this.#sealedLength = 0;
    if (this.#ended || !this.#stream.writable) return;
    const last = buffers.pop();
    if (buffers.length === 0) {
      this.#stream.write(last, this.#written);
      return;
    }
    this.#stream.cork();
    for (const buffer of buffers) this.#stream.write(buffer);
    this.#stream.write(last, this.#written);
    this.#stream.uncork();
  }

  /** Writes what is left and ends the stream; nothing can be sent afterwards. */
  end(): void {
    if (this.#ended) return;
    this.flush();
    this.#ended = true;
    this.#start = this.#position;
    this.#stream.end();
  }

  /** Forgets everything not yet written. */
  discard(): void {
    this.#ended = true;
    this.#sealed = [];
    this.#sealedLength = 0;
    this.#start = this.#position;
  }

  #current(): Buffer {
    return (this.#block ??= Buffer.allocUnsafeSlow(BLOCK));
  }

  /** Makes room for `size` octets in the block and returns where they begin. */
  #reserve(size: number): number {
    this.active = true;
    if (this.#ended) this.#start = this.#position = 0;
    if (!this.#scheduled && !this.#ended) {
      this.#scheduled = true;
      setImmediate(this.#flushNow);
    }
    if (this.#position + size > this.#current().length) {
      this.#seal();
      this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK, size));
      this.#start = this.#position = 0;
    }
    const at = this.#position;
    this.#position = at + size;
    return at;
  }

  readonly #flushNow = (): void => {
    if (this.#scheduled) this.flush();
  };

  #external(bytes: Buffer): void {
    if (this.#ended) return;
    this.#seal();
    this.#sealed.push(bytes);
    this.#sealedLength += bytes.length;
  }

  #seal(): void {
    if (this.#ended || this.#block === undefined || this.#position === this.#start) return;
    const length = this.#position - this.#start;
    this.#sealed.push(this.#block.subarray(this.#start, this.#position));
    this.#sealedLength += length;
    this.#start = this.#position;
  }
}

function writeHead(block: Buffer, at: number, type: number, channel: number, size: number): void {
  block[at] = type;
  block.writeUInt16BE(channel, at + 1);
  block.writeUInt32BE(size, at + 3);
}

/** The part of a basic.deliver frame that is the same for all deliveries to a consumer; its size is patched later. */
export function deliverPrefix(channel: number, consumerTag: string): Buffer {
  const writer = new ByteWriter();
  writer.octet(FRAME.method);
  writer.short(channel);
  writer.long(0);
  writer.short(60);
  writer.short(60);
  writer.shortstr(consumerTag);
  return writer.toBuffer();
}
