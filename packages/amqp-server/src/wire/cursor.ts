import { isUtf8 } from 'node:buffer';
import { ReplyError } from './reply-error.js';

/** Reads wire types from a part of a buffer. Every read checks the end and throws 502 (syntax error) beyond it. */
export class Cursor {
  constructor(
    readonly bytes: Buffer,
    public position: number,
    readonly end: number,
  ) {}

  /** Moves on by `length` octets and returns where they began. */
  skip(length: number): number {
    const at = this.position;
    if (length > this.end - at) throw new ReplyError('SYNTAX_ERROR', 'argument reaches beyond the end of its frame');
    this.position = at + length;
    return at;
  }

  octet(): number {
    return this.bytes.readUInt8(this.skip(1));
  }

  short(): number {
    return this.bytes.readUInt16BE(this.skip(2));
  }

  long(): number {
    return this.bytes.readUInt32BE(this.skip(4));
  }

  /** An unsigned 64 bit integer as a number: exact up to 2^53, which no tag or size of ours exceeds. */
  longlong(): number {
    const at = this.skip(8);
    return this.bytes.readUInt32BE(at) * 0x100000000 + this.bytes.readUInt32BE(at + 4);
  }

  shortstr(): string {
    const length = this.octet();
    const at = this.skipText(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  /** Moves behind text of that length. Names must be UTF-8 (4.2.5.3), or they could not be written again. */
  skipText(length: number): number {
    const at = this.skip(length);
    if (isUtf8(this.bytes.subarray(at, at + length))) return at;
    throw new ReplyError('SYNTAX_ERROR', 'a short string is not UTF-8');
  }

  /** A copy: arguments outlive the read buffer they came in. */
  longstr(): Buffer {
    const length = this.long();
    const at = this.skip(length);
    return Buffer.from(this.bytes.subarray(at, at + length));
  }
}
