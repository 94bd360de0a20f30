import { failure, PEER_MAX_FRAME_BYTES } from '@it-chain/contracts';

const PREFIX_BYTES = 5;

/** One gRPC message: a flag byte (0, not compressed), the length (4 bytes, big-endian), the message. */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Cuts a stream of bytes into gRPC messages. Holds at most one message and what came behind it in one chunk. */
export class GrpcDeframer {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(maxBytes = PEER_MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The messages that `chunk` completes.
   * @throws ERR_PEER_PROTOCOL for a compressed message, ERR_PEER_TOO_LARGE for one past the limit
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const messages: Uint8Array[] = [];
    for (;;) {
      if (this.#size < PREFIX_BYTES) return messages;
      const prefix = this.#join(PREFIX_BYTES);
      const length = prefix.readUInt32BE(1);
      if (prefix[0] !== 0) throw failure('ERR_PEER_PROTOCOL', `a frame with the flags ${String(prefix[0])}`);
      if (length > this.#maxBytes) {
        throw failure('ERR_PEER_TOO_LARGE', `a frame of ${length} bytes where ${this.#maxBytes} are allowed`);
      }
      if (this.#size < PREFIX_BYTES + length) return messages;
      const whole = this.#join(PREFIX_BYTES + length);
      messages.push(whole.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
      const rest = whole.subarray(PREFIX_BYTES + length);
      this.#size -= PREFIX_BYTES + length;
      if (rest.length === 0) this.#chunks.shift();
      else this.#chunks[0] = rest;
    }
  }

  /** The first chunk, made at least `length` bytes long. Joins only what is needed, so a long frame is copied once. */
  #join(length: number): Buffer {
    let first = this.#chunks[0] ?? new Uint8Array(0);
    if (first.length < length) {
      first = Buffer.concat(this.#chunks);
      this.#chunks = [first];
    }
    return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  }
}
