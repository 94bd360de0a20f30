import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import {
  Block,
  BlockHeader,
  CertifiedBlock,
  Genesis,
  failure,
  isItChainError,
  messageOf,
  networkOf,
  sameBytes,
  sha256,
} from '@it-chain/contracts';

/** First line of the file: its form and version. */
const MAGIC = Buffer.from('it-chain blocks 1\n', 'ascii');
const CHECK_BYTES = 8;
const HEAD_BYTES = 5;
/** Longest record: a block of the largest size that a genesis can name is far below. */
const MAX_RECORD = 64 * 1024 * 1024;
const TYPES = { genesis: 1, block: 2, end: 3 } as const;

/**
 * Writes certified blocks to a file: the line above, then records of type (1 byte), length (4 bytes, big-endian), content
 * and check: the first 8 bytes of the SHA-256 of the check before, type, length and content. So a changed, missing,
 * moved or repeated record is noticed, and the last one says how many there are.
 */
export class BlockFileWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  #check: Uint8Array = new Uint8Array(CHECK_BYTES);
  #count = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Begins a file under another name, which gets its own at {@link finish}. */
  static async create(path: string, genesis: Uint8Array): Promise<BlockFileWriter> {
    const file = await open(`${path}.part`, 'w', 0o644);
    const writer = new BlockFileWriter(path, file);
    await file.write(MAGIC);
    await writer.#record(TYPES.genesis, genesis);
    return writer;
  }

  async add(block: CertifiedBlock): Promise<void> {
    await this.#record(TYPES.block, CertifiedBlock.encode(block));
    this.#count += 1;
  }

  /** Writes the last record, syncs and gives the file its name. */
  async finish(): Promise<void> {
    const count = Buffer.alloc(8);
    count.writeBigUInt64BE(BigInt(this.#count));
    await this.#record(TYPES.end, count);
    await this.#file.sync();
    await this.#file.close();
    await rename(`${this.#path}.part`, this.#path);
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.#file.close();
    await rm(`${this.#path}.part`, { force: true });
  }

  async #record(type: number, content: Uint8Array): Promise<void> {
    const head = headOf(type, content.length);
    this.#check = checkOf(this.#check, head, content);
    await this.#file.writev([head, content, this.#check]);
  }
}

/** Where the content of a record lies. */
interface Place {
  readonly at: number;
  readonly length: number;
}

/** A file of certified blocks whose every record was found whole. The blocks themselves are not verified here. */
export class BlockFile {
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  /** Height of the first block; 1 where there is none. */
  readonly from: number;
  readonly #file: FileHandle;
  /** Where the content of each block lies. */
  readonly #places: readonly Place[];

  private constructor(file: FileHandle, genesis: Uint8Array, places: readonly Place[], from: number) {
    this.#file = file;
    this.#places = places;
    this.genesis = Genesis.decodeCanonical(genesis);
    this.network = networkOf(this.genesis);
    this.from = from;
  }

  /** Reads the file through once. @throws ERR_CHAIN_FILE_INVALID, ERR_CLI_USAGE where it cannot be opened */
  static async open(path: string): Promise<BlockFile> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (cause) {
      throw failure('ERR_CLI_USAGE', `the file ${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
    try {
      return await scan(path, file, (genesis, places, from) => new BlockFile(file, genesis, places, from));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Height of the last block; one below {@link from} where there is none. */
  get to(): number {
    return this.from + this.#places.length - 1;
  }

  /** The block of a height, where the file holds it. */
  async block(height: number): Promise<CertifiedBlock | undefined> {
    const place = this.#places[height - this.from];
    if (place === undefined) return undefined;
    return CertifiedBlock.decode(await readAt(this.#file, place.at, place.length));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function scan<T>(
  path: string,
  file: FileHandle,
  made: (genesis: Uint8Array, places: readonly Place[], from: number) => T,
): Promise<T> {
  const invalid = (what: string): Error =>
    failure('ERR_CHAIN_FILE_INVALID', `${path} ${what}`, { hint: 'Export the blocks again.' });
  const { size } = await file.stat();
  if (size < MAGIC.length || !sameBytes(await readAt(file, 0, MAGIC.length), MAGIC)) {
    throw invalid('is no file of exported blocks of this version');
  }
  const places: Place[] = [];
  let genesis: Uint8Array | undefined;
  let from = 1;
  let check: Uint8Array = new Uint8Array(CHECK_BYTES);
  for (let at = MAGIC.length; ;) {
    if (at + HEAD_BYTES > size) throw invalid(`is cut off behind ${places.length} blocks`);
    const head = await readAt(file, at, HEAD_BYTES);
    const type = head[0];
    const length = head.readUInt32BE(1);
    const end = at + HEAD_BYTES + length + CHECK_BYTES;
    if (length > MAX_RECORD || end > size) throw invalid(`is cut off or damaged behind ${places.length} blocks`);
    const content = await readAt(file, at + HEAD_BYTES, length + CHECK_BYTES);
    const body = content.subarray(0, length);
    check = checkOf(check, head, body);
    if (!sameBytes(check, content.subarray(length))) throw invalid(`is damaged behind ${places.length} blocks`);
    if (type === TYPES.genesis && genesis === undefined) genesis = body;
    else if (type === TYPES.block && genesis !== undefined) {
      const height = heightOf(body, invalid);
      if (places.length === 0) from = height;
      if (height !== from + places.length) throw invalid(`goes on with block ${height} behind ${places.length} blocks`);
      places.push({ at: at + HEAD_BYTES, length });
    } else if (type === TYPES.end && genesis !== undefined && length === 8 && end === size) {
      if (Number(body.readBigUInt64BE()) !== places.length) throw invalid('does not hold as many blocks as it says');
      return made(genesis, places, from);
    } else throw invalid(`holds a record of the kind ${type ?? 0} where none belongs`);
    at = end;
  }
}

function heightOf(content: Uint8Array, invalid: (what: string) => Error): number {
  try {
    return BlockHeader.decode(Block.decode(CertifiedBlock.decode(content).block).header).height;
  } catch (error) {
    if (isItChainError(error)) throw invalid(`holds what is no block: ${error.message}`);
    throw error;
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  return buffer.subarray(0, bytesRead);
}

function headOf(type: number, length: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(type, 0);
  head.writeUInt32BE(length, 1);
  return head;
}

const checkOf = (before: Uint8Array, head: Uint8Array, content: Uint8Array): Uint8Array =>
  sha256(Buffer.concat([before, head, content])).subarray(0, CHECK_BYTES);
