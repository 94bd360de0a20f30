import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ByteWriter } from '../dist/wire/byte-writer.js';
import { FrameParser } from '../dist/wire/frame-parser.js';
import { decodeMethod, type DecodedMethod, encodeMethod } from '../dist/wire/method-codec.js';
import { FRAME, type FieldTable, type MethodArguments, type MethodName, PROTOCOL_HEADER } from '../dist/wire/spec.js';

/** A frame with any content, right or wrong. */
export function frame(type: number, channel: number, payload: Buffer, end: number = FRAME.end): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.of(end)]);
}

/** A method frame. */
export function method<M extends MethodName>(channel: number, name: M, values: MethodArguments<M>): Buffer {
  const writer = new ByteWriter();
  encodeMethod(writer, name, values);
  return frame(FRAME.method, channel, writer.toBuffer());
}

/** A content header frame without properties, or with the flags and octets given. */
export function header(channel: number, bodySize: number, classId = 60, properties = Buffer.alloc(2)): Buffer {
  const writer = new ByteWriter();
  writer.short(classId);
  writer.short(0);
  writer.longlong(bodySize);
  writer.raw(properties);
  return frame(FRAME.header, channel, writer.toBuffer());
}

/** basic.publish to the default exchange. */
export function publish(channel: number, routingKey: string, immediate = false): Buffer {
  const values = { ticket: 0, exchange: '', routingKey, mandatory: false, immediate };
  return method(channel, 'basic.publish', values);
}

/** connection.start-ok with PLAIN. */
export function startOk(name = 'guest', password = 'guest', capabilities: FieldTable = new Map()): Buffer {
  const clientProperties: FieldTable = new Map([['capabilities', { type: 'F', value: capabilities }]]);
  return method(0, 'connection.startOk', {
    clientProperties,
    mechanism: 'PLAIN',
    response: Buffer.from(`\0${name}\0${password}`),
    locale: 'en_US',
  });
}

/** What the client said it can do. */
export function capability(name: string): FieldTable {
  return new Map([[name, { type: 't', value: true }]]);
}

/** A client that sends any octets and takes apart what comes back. */
export class RawClient {
  readonly received: DecodedMethod[] = [];
  /** The first octets that came. */
  octets = Buffer.alloc(0);
  closed = false;
  readonly socket: Socket;
  readonly #wake = new Set<() => void>();
  readonly #parser = new FrameParser(1 << 24, (type, _channel, bytes, start, end) => {
    const decoded = type === FRAME.method ? decodeMethod(bytes, start, end) : undefined;
    if (decoded !== undefined) this.received.push(decoded);
  });

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => {
      if (this.octets.length < 64) this.octets = Buffer.concat([this.octets, chunk]);
      if (this.octets.subarray(0, 4).toString('latin1') !== 'AMQP') this.#parser.push(chunk);
      this.#notify();
    });
    this.socket.on('error', () => undefined); // Being cut off is what many tests are about.
    this.socket.on('close', () => {
      this.closed = true;
      this.#notify();
    });
  }

  #notify(): void {
    for (const wake of [...this.#wake]) wake();
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wake.delete(wake);
          resolve();
        };
        this.#wake.add(wake);
      });
    }
  }

  /** Waits until the server has closed the connection. */
  async end(): Promise<void> {
    await this.#until(() => this.closed);
  }

  /** Waits for the next method of that name; throws when the connection ends before. */
  async wait<M extends MethodName>(name: M): Promise<MethodArguments<M>> {
    let found: DecodedMethod | undefined;
    await this.#until(() => {
      const at = this.received.findIndex((candidate) => candidate.name === name);
      if (at >= 0) [found] = this.received.splice(at, 1);
      return found !== undefined || this.closed;
    });
    if (found === undefined) throw new Error(`the connection ended before ${name}`);
    return found.arguments as MethodArguments<M>;
  }

  send(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Logs in and opens channel 1. */
  async open(options: { heartbeat?: number; capabilities?: FieldTable } = {}): Promise<this> {
    this.send(PROTOCOL_HEADER);
    await this.wait('connection.start');
    this.send(startOk('guest', 'guest', options.capabilities));
    const { channelMax, frameMax } = await this.wait('connection.tune');
    this.send(
      method(0, 'connection.tuneOk', { channelMax, frameMax, heartbeat: options.heartbeat ?? 0 }),
      method(0, 'connection.open', { virtualHost: '/', reserved1: '', reserved2: false }),
      method(1, 'channel.open', { reserved1: '' }),
    );
    await this.wait('channel.openOk');
    return this;
  }

  /** Makes a queue of its own. */
  async queue(name: string): Promise<void> {
    const flags = { passive: false, durable: false, exclusive: true, autoDelete: false, nowait: false };
    this.send(method(1, 'queue.declare', { ticket: 0, queue: name, ...flags, arguments: new Map() }));
    await this.wait('queue.declareOk');
  }

  async destroy(): Promise<void> {
    const closed = this.closed ? undefined : once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }
}
