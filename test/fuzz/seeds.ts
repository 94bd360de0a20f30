import {
  Block,
  BlockHeader,
  Certificate,
  CertifiedBlock,
  GENESIS_DEFAULTS,
  Genesis,
  Hello,
  KvOperation,
  Membership,
  NodeRecord,
  PeerFrame,
  SystemState,
  TransactionBatch,
  concatBytes,
  encodeError,
  failure,
  genesisSystemState,
  heightKey,
  keyPairFromSeed,
  sha256,
  signTransaction,
  utf8,
} from '@it-chain/contracts';
import { SignedVote, encodeMessage, type ConsensusMessage } from '@it-chain/plugin-consensus';

const keys = keyPairFromSeed(sha256(utf8('a seed of the fuzz tests')));
const network = sha256(utf8('network'));
const digest = sha256(utf8('digest'));
const signature = new Uint8Array(64).fill(7);
const { publicKey } = keys;

const header = BlockHeader.encode({
  version: 1,
  network,
  height: 5,
  previous: digest,
  proposer: publicKey,
  proposerSequence: 2,
  time: 1_700_000_000_000,
  transactionRoot: digest,
  transactionCount: 1,
  previousStateRoot: digest,
  validators: digest,
  nextValidators: digest,
});
const operation = KvOperation.encode({ put: { key: utf8('key'), value: utf8('value') } });
const swap = KvOperation.encode({ compareAndSet: { key: utf8('key'), expected: utf8('a'), value: utf8('b') } });
const draft = { network, nonce: new Uint8Array(8).fill(1), expiresAt: 1_000 };
const transaction = signTransaction({ ...draft, application: operation }, keys);
const membership = { join: { publicKey, name: 'a node', signature } };
const joining = signTransaction({ ...draft, membership }, keys);
const block = { header, transactions: [transaction, joining] };
const seal = (validator: number): { validator: number; signature: Uint8Array } => ({ validator, signature });
const certificate = { height: 5, round: 1, digest, seals: [seal(0), seal(1), seal(2)] };
const vote = (type: SignedVote['type']): SignedVote => ({
  type,
  height: 5,
  round: 1,
  digest,
  signer: publicKey,
  signature,
});
const prepared = { round: 0, digest };
const hello: Hello = {
  network,
  genesis: new Uint8Array(0),
  height: 5,
  name: 'a node',
  addresses: ['10.0.0.1:7000'],
  candidate: new Uint8Array(0),
  leader: publicKey,
};
const prepares = [vote('prepare'), vote('prepare')];
const roundChanges = [{ vote: vote('round-change'), prepared }];

const contents: readonly ConsensusMessage[] = [
  { kind: 'proposal', vote: vote('proposal'), block, roundChanges, prepares },
  { kind: 'prepare', vote: vote('prepare') },
  { kind: 'commit', vote: vote('commit') },
  { kind: 'round-change', vote: vote('round-change'), prepared, block, prepares },
  { kind: 'decided', block, certificate },
  { kind: 'status', height: 5, digest, round: 0, seen: vote('commit') },
  { kind: 'want', height: 5, digest },
  { kind: 'body', height: 5, block },
];

const frames: readonly PeerFrame[] = [
  { challenge: { version: 1, publicKey, challenge: digest } },
  { proof: { signature, hello: Hello.encode(hello) } },
  { admit: {} },
  { ping: { nonce: 42 } },
  {
    start: {
      type: 'message',
      kind: 'consensus',
      id: 0,
      size: 300,
      timeoutMs: 0,
      errorCode: '',
      errorMessage: '',
      data: new Uint8Array(200),
    },
  },
  { more: { data: new Uint8Array(100) } },
  { goodbye: { code: 'ERR_PEER_STOPPING', reason: 'the node stops' } },
];

/** A gRPC message: no compression, the length, the content. */
function grpc(content: Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(content.length, 1);
  return concatBytes(prefix, content);
}

/** An AMQP frame on channel 1. */
function amqp(type: number, payload: string): Uint8Array {
  const content = Buffer.from(payload.replaceAll(' ', ''), 'hex');
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(1, 1);
  head.writeUInt32BE(content.length, 3);
  return concatBytes(head, content, new Uint8Array([0xce]));
}

/** queue.declare "q" with { x-max-length: 5 }; basic.publish to "q"; a content header with headers { a: "b" }; a body. */
const declare = amqp(1, '0032 000a 0000 01 71 04 00000012 0c 782d6d61782d6c656e677468 49 00000005');
const publish = amqp(1, '003c 0028 0000 00 01 71 00');
const contentHeader = amqp(2, '003c 0000 0000000000000005 f000 04 74657874 01 67 00000008 01 61 53 00000001 62 02');
const body = amqp(3, '68656c6c6f');

/** Key of the first record of height 1 in the consensus log, and its frame. */
export const walKey: Uint8Array = concatBytes(heightKey(1), new Uint8Array([0, 0, 0, 0, 2]));
export const walFrame = (content: Uint8Array): Uint8Array =>
  concatBytes(sha256(concatBytes(walKey, content)).subarray(0, 8), content);

const message = (content: ConsensusMessage): Uint8Array => encodeMessage(content, network, 3);
/** WalRecord: sequence 0, the message (field 2), the digest of the block it is about (3), the block (4). */
const prepareMessage = message({ kind: 'prepare', vote: vote('prepare') });
const field = (number: number, value: Uint8Array): Uint8Array =>
  concatBytes(new Uint8Array([(number << 3) | 2, (value.length & 0x7f) | 0x80, value.length >> 7]), value);
const walRecord = concatBytes(field(2, prepareMessage), field(3, digest), field(4, Block.encode(block)));

const PEM = [
  '-----BEGIN PRIVATE KEY-----',
  'MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH',
  '-----END PRIVATE KEY-----',
  '',
].join('\n');

const genesis: Genesis = {
  ...GENESIS_DEFAULTS,
  nonce: digest,
  founder: publicKey,
  validators: [publicKey],
  admission: 'open',
  allowlist: [digest],
  application: 'kv/1',
  time: 1_700_000_000_000,
};

/** Valid inputs of each decoder. */
export const seeds = {
  block: [Block.encode(block), Block.encode({ header, transactions: [] })],
  'block-header': [header],
  certificate: [Certificate.encode(certificate)],
  'certified-block': [
    CertifiedBlock.encode({ block: Block.encode(block), certificate: Certificate.encode(certificate) }),
  ],
  transaction: [transaction, joining],
  'transaction-batch': [TransactionBatch.encode({ transactions: [transaction, joining] })],
  membership: [
    Membership.encode(membership),
    Membership.encode({ promote: { publicKeys: [publicKey, digest] } }),
    Membership.encode({ leave: {} }),
  ],
  'kv-operation': [operation, swap, KvOperation.encode({ delete: { key: utf8('key') } })],
  vote: [SignedVote.encode(vote('commit'))],
  'consensus-message': contents.map(message),
  genesis: [Genesis.encode(genesis)],
  'system-state': [SystemState.encode(genesisSystemState(genesis))],
  'node-record': [
    NodeRecord.encode({ publicKey, name: 'a node', addresses: ['10.0.0.1:7000'], sequence: 3, signature }),
  ],
  hello: [Hello.encode(hello)],
  'peer-frame': frames.map((frame) => PeerFrame.encode(frame)),
  'peer-stream': [concatBytes(...frames.slice(4, 6).map((frame) => grpc(PeerFrame.encode(frame))))],
  'amqp-frames': [concatBytes(declare, publish, contentHeader, body), amqp(8, '')],
  'log-record': [walRecord],
  'key-file': [utf8(PEM)],
  'wire-error': [encodeError(failure('ERR_TX_SIGNATURE', 'a message', { hint: 'a hint', data: { height: 3 } }))],
} satisfies Record<string, readonly Uint8Array[]>;

export type SeedName = keyof typeof seeds;
