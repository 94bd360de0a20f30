import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  Block,
  BlockHeader,
  Certificate,
  CertifiedBlock,
  Genesis,
  Hello,
  KvOperation,
  Membership,
  NodeRecord,
  PeerFrame,
  SystemState,
  Transaction,
  TransactionBatch,
  decodeError,
  decodeTransaction,
  errorCatalogue,
  isItChainError,
  sameBytes,
  type Message,
} from '@it-chain/contracts';
import { SignedVote, decodeMessage, encodeMessage } from '@it-chain/plugin-consensus';
import { root } from '../support/node-process.js';
import { seeds, walFrame, walKey, type SeedName } from './seeds.js';

/** A decoder of bytes from outside. */
export interface Target {
  readonly name: string;
  /** Valid inputs to begin with. */
  readonly seeds: readonly Uint8Array[];
  /** True where it took the input, false where it refused it with a typed error. @throws whatever else happens */
  readonly run: (input: Uint8Array) => boolean | Promise<boolean>;
}

/** A decoder that is not part of a package's public face: it is what the package's own doors use. */
async function internal<T>(file: string): Promise<T> {
  return (await import(pathToFileURL(join(root, 'packages', file)).href)) as T;
}

/** Runs a decoder: an error of the catalogue is an answer, anything else is a finding. */
function typed(decode: () => void): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (isItChainError(error) && error.code in errorCatalogue && !error.message.includes('\n')) return false;
    throw error;
  }
}

/** What was read must come out again: encoded, it is read as the same. */
function roundTrip<T>(type: Message<T>): (input: Uint8Array) => boolean {
  return (input) =>
    typed(() => {
      const encoded = type.encode(type.decode(input));
      const again = type.encode(type.decodeCanonical(encoded));
      if (!sameBytes(encoded, again)) throw new Error('another value came out than went in');
    });
}

/** What is accepted as canonical has one form only: that of the input. */
function canonical<T>(type: Message<T>): (input: Uint8Array) => boolean {
  const loose = roundTrip(type);
  return (input) => {
    const read = loose(input);
    const strict = typed(() => {
      if (!sameBytes(type.encode(type.decodeCanonical(input)), input)) throw new Error('a second canonical form');
    });
    if (strict && !read) throw new Error('decodeCanonical takes what decode refuses');
    return strict;
  };
}

function ofType(name: SeedName, run: (input: Uint8Array) => boolean): Target {
  return { name, seeds: seeds[name], run };
}

function consensusMessage(): Target {
  return ofType('consensus-message', (input) =>
    typed(() => {
      const read = decodeMessage(input);
      if (read === undefined) return;
      const encoded = encodeMessage(read.content, read.network, read.attempt);
      const again = decodeMessage(encoded);
      if (again === undefined || !sameBytes(encodeMessage(again.content, again.network, again.attempt), encoded)) {
        throw new Error('another message came out than went in');
      }
    }),
  );
}

function transaction(): Target {
  return ofType('transaction', (input) =>
    typed(() => {
      const { value } = decodeTransaction(input);
      if (!sameBytes(Transaction.encode(value), input)) throw new Error('a second form of one transaction');
    }),
  );
}

interface FrameParts {
  readonly GrpcDeframer: new () => { push(chunk: Uint8Array): Uint8Array[] };
  readonly MessageAssembler: new (maxBytes: number) => { push(frame: PeerFrame): unknown };
}

/** The bytes of a lane between two nodes, as they come in: gRPC messages, frames, messages. */
async function peerStream(): Promise<Target> {
  const base = 'plugin-gateway/dist/transport';
  const { GrpcDeframer } = await internal<FrameParts>(`${base}/grpc-framing.js`);
  const { MessageAssembler } = await internal<FrameParts>(`${base}/peer-messages.js`);
  return ofType('peer-stream', (input) =>
    typed(() => {
      const deframer = new GrpcDeframer();
      const assembler = new MessageAssembler(4 * 1024 * 1024);
      const half = input.length >> 1;
      for (const chunk of [input.subarray(0, half), input.subarray(half)]) {
        for (const frame of deframer.push(chunk)) assembler.push(PeerFrame.decode(frame));
      }
    }),
  );
}

interface WireParts {
  readonly FrameParser: new (
    maxFrame: number,
    onFrame: (type: number, channel: number, bytes: Buffer, start: number, end: number) => void,
  ) => { push(chunk: Buffer): void };
  readonly decodeMethod: (bytes: Buffer, start: number, end: number) => unknown;
  readonly ContentHeader: new () => { scan(bytes: Buffer, start: number, end: number): unknown };
  readonly ReplyError: new () => Error;
}

/** The bytes of an AMQP connection: frames, methods, headers of content. */
async function amqpFrames(): Promise<Target> {
  const base = 'amqp-server/dist/wire';
  const { FrameParser } = await internal<WireParts>(`${base}/frame-parser.js`);
  const { decodeMethod } = await internal<WireParts>(`${base}/method-codec.js`);
  const { ReplyError } = await internal<WireParts>(`${base}/reply-error.js`);
  const { ContentHeader } = await internal<WireParts>(`${base}/content-header.js`);
  return ofType('amqp-frames', (input) => {
    try {
      const parser = new FrameParser(131_072, (type, _channel, bytes, start, end) => {
        if (type === 1) decodeMethod(bytes, start, end);
        if (type === 2) new ContentHeader().scan(bytes, start, end);
      });
      const half = input.length >> 1;
      parser.push(Buffer.from(input.subarray(0, half)));
      parser.push(Buffer.from(input.subarray(half)));
      return true;
    } catch (error) {
      if (error instanceof ReplyError) return false;
      throw error;
    }
  });
}

interface LogParts {
  readonly VoteLog: new (
    options: { readonly network: Uint8Array },
    dependencies: { readonly storage: object; readonly log: object },
  ) => { load(height: number): Promise<unknown> };
}

/** A record of the consensus log, with a checksum that fits: what a damaged disk cannot show, a bug could. */
async function logRecord(): Promise<Target> {
  const { VoteLog } = await internal<LogParts>('plugin-consensus/dist/driver/wal.js');
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  return {
    name: 'log-record',
    seeds: seeds['log-record'],
    run: async (input) => {
      const entries = [{ key: walKey, value: walFrame(input) }];
      const storage = {
        range: () => Promise.resolve({ entries, more: false }),
        write: () => Promise.resolve({}),
      };
      try {
        await new VoteLog({ network: new Uint8Array(32) }, { storage, log }).load(1);
        return true;
      } catch (error) {
        if (isItChainError(error) && error.code in errorCatalogue) return false;
        throw error;
      }
    },
  };
}

interface KeyParts {
  readonly openKeyFile: (path: string) => Promise<{ readonly publicKey: Uint8Array }>;
}

async function keyFile(): Promise<Target> {
  const { openKeyFile } = await internal<KeyParts>('kernel/dist/identity/key-file.js');
  return {
    name: 'key-file',
    seeds: seeds['key-file'],
    run: async (input) => {
      const dir = mkdtempSync(join(tmpdir(), 'it-chain-fuzz-'));
      try {
        const path = join(dir, 'node.key');
        writeFileSync(path, input, { mode: 0o600 });
        await openKeyFile(path);
        return true;
      } catch (error) {
        if (!isItChainError(error) || !(error.code in errorCatalogue)) throw error;
        const text = `${error.message} ${error.hint ?? ''}`;
        if (/MC4CAQ|PRIVATE/.test(text)) throw new Error('the error quotes the key file');
        return false;
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    },
  };
}

/** Every decoder of bytes from outside, by name. */
export async function targets(): Promise<readonly Target[]> {
  return [
    ofType('block', canonical(Block)),
    ofType('block-header', canonical(BlockHeader)),
    ofType('certificate', roundTrip(Certificate)),
    ofType('certified-block', roundTrip(CertifiedBlock)),
    transaction(),
    ofType('transaction-batch', roundTrip(TransactionBatch)),
    ofType('membership', canonical(Membership)),
    ofType('kv-operation', canonical(KvOperation)),
    ofType('vote', roundTrip(SignedVote)),
    consensusMessage(),
    ofType('genesis', canonical(Genesis)),
    ofType('system-state', canonical(SystemState)),
    ofType('node-record', roundTrip(NodeRecord)),
    ofType('hello', roundTrip(Hello)),
    ofType('peer-frame', roundTrip(PeerFrame)),
    await peerStream(),
    await amqpFrames(),
    await logRecord(),
    await keyFile(),
    ofType('wire-error', (input) => decodeError(input).code !== 'ERR_INTERNAL'),
  ];
}
