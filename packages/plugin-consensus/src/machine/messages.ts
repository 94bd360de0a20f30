import {
  Block,
  Certificate,
  VOTE_TYPES,
  bytes,
  choice,
  concatBytes,
  message,
  nested,
  optional,
  repeated,
  sha256,
  uint32,
  uint64,
  utf8,
  voteSigningBytes,
  type Infer,
} from '@it-chain/contracts';

/** Most votes in one justification: as many as a validator set has members at most. */
export const MAX_VOTES = 1_000;

/** A vote and the signature of its sender over VoteContent. It is read on its own, so it names its signer. */
export const SignedVote = message('SignedVote', {
  type: choice(1, 'VoteType', VOTE_TYPES),
  height: uint64(2),
  round: uint32(3),
  digest: bytes(4, { length: 32 }),
  /** Public key of the sender. */
  signer: bytes(5, { length: 32 }),
  /** Ed25519 over the domain `vote`, the network and VoteContent of the fields above. */
  signature: bytes(6, { length: 64 }),
});
export type SignedVote = Infer<typeof SignedVote>;

/** The round in which a block had a quorum of PREPAREs, and its digest. */
export const PreparedClaim = message('PreparedClaim', { round: uint32(1), digest: bytes(2, { length: 32 }) });
export type PreparedClaim = Infer<typeof PreparedClaim>;

/** What a justification keeps of a ROUND_CHANGE: the signed vote, and the claim whose hash it signs. */
export const RoundChangeClaim = message('RoundChangeClaim', {
  vote: nested(1, SignedVote),
  prepared: optional(nested(2, PreparedClaim)),
});
export type RoundChangeClaim = Infer<typeof RoundChangeClaim>;

/** PROPOSAL: a block for a round, and above round 0 why it may be proposed there. */
export const Proposal = message('Proposal', {
  vote: nested(1, SignedVote),
  block: nested(2, Block),
  roundChanges: repeated(nested(3, RoundChangeClaim), { maxItems: MAX_VOTES }),
  prepares: repeated(nested(4, SignedVote), { maxItems: MAX_VOTES }),
});
export type Proposal = Infer<typeof Proposal>;

/** ROUND_CHANGE: the sender has moved to a round; what it had prepared comes along with its proof. */
export const RoundChange = message('RoundChange', {
  vote: nested(1, SignedVote),
  prepared: optional(nested(2, PreparedClaim)),
  block: optional(nested(3, Block)),
  prepares: repeated(nested(4, SignedVote), { maxItems: MAX_VOTES }),
});
export type RoundChange = Infer<typeof RoundChange>;

/** DECIDED: proves itself. */
export const Decided = message('Decided', { block: nested(1, Block), certificate: nested(2, Certificate) });
export type Decided = Infer<typeof Decided>;

/** STATUS: where the sender stands. Not signed: the session is authenticated, and nothing is decided by it. */
export const Status = message('Status', {
  /** Height of the sender's tip. */
  height: uint64(1),
  /** Digest of the sender's tip. */
  digest: bytes(2, { length: 32 }),
  /** Highest round of the open height that f+1 validators were seen in. */
  round: uint32(3),
  /** The last vote that the sender has seen signed by the receiver. */
  seen: optional(nested(4, SignedVote)),
});
export type Status = Infer<typeof Status>;

/** WANT: the block of this digest, which the sender knows to be decided and does not have. */
export const Want = message('Want', { height: uint64(1), digest: bytes(2, { length: 32 }) });
/** BODY: the answer to WANT. */
export const Body = message('Body', { height: uint64(1), block: nested(2, Block) });

/** What travels between validators under the kind `consensus`. */
export const Envelope = message('ConsensusEnvelope', {
  /** Digest of the genesis: messages of another network are dropped unread. */
  network: bytes(1, { length: 32 }),
  /** How often the sender had sent this before without getting on; 0 = the first time. */
  attempt: uint32(2),
  proposal: optional(nested(3, Proposal), 'content'),
  prepare: optional(nested(4, SignedVote), 'content'),
  commit: optional(nested(5, SignedVote), 'content'),
  roundChange: optional(nested(6, RoundChange), 'content'),
  decided: optional(nested(7, Decided), 'content'),
  status: optional(nested(8, Status), 'content'),
  want: optional(nested(9, Want), 'content'),
  body: optional(nested(10, Body), 'content'),
});
export type Envelope = Infer<typeof Envelope>;

/** The messages that carry a vote of their sender. They are signed, logged and sent again. */
export type VoteMessage =
  | ({ readonly kind: 'proposal' } & Proposal)
  | { readonly kind: 'prepare'; readonly vote: SignedVote }
  | { readonly kind: 'commit'; readonly vote: SignedVote }
  | ({ readonly kind: 'round-change' } & RoundChange);

/** All messages, as the machine sees them. */
export type ConsensusMessage =
  | VoteMessage
  | ({ readonly kind: 'decided' } & Decided)
  | ({ readonly kind: 'status' } & Status)
  | ({ readonly kind: 'want' } & Infer<typeof Want>)
  | ({ readonly kind: 'body' } & Infer<typeof Body>);

/** True for a message that carries a vote of its sender. */
export function isVoteMessage(content: ConsensusMessage): content is VoteMessage {
  return (
    content.kind === 'proposal' ||
    content.kind === 'prepare' ||
    content.kind === 'commit' ||
    content.kind === 'round-change'
  );
}

/** The bytes of a message. @throws ERR_DATA_INVALID */
export function encodeMessage(content: ConsensusMessage, network: Uint8Array, attempt: number): Uint8Array {
  return Envelope.encode({ network, attempt, ...wrap(content) });
}

function wrap(content: ConsensusMessage): Partial<Envelope> {
  switch (content.kind) {
    case 'proposal':
      return { proposal: content };
    case 'prepare':
      return { prepare: content.vote };
    case 'commit':
      return { commit: content.vote };
    case 'round-change':
      return { roundChange: content };
    case 'decided':
      return { decided: content };
    case 'status':
      return { status: content };
    case 'want':
      return { want: content };
    case 'body':
      return { body: content };
  }
}

/** A message that was read. */
export interface ReceivedMessage {
  readonly network: Uint8Array;
  readonly attempt: number;
  readonly content: ConsensusMessage;
}

/** Reads a message; undefined where the kind is not known to this version. @throws ERR_DATA_MALFORMED */
export function decodeMessage(encoded: Uint8Array): ReceivedMessage | undefined {
  const envelope = Envelope.decode(encoded);
  const content = unwrap(envelope);
  return content === undefined ? undefined : { network: envelope.network, attempt: envelope.attempt, content };
}

function unwrap(envelope: Envelope): ConsensusMessage | undefined {
  const { proposal, prepare, commit, roundChange, decided, status, want, body } = envelope;
  if (proposal !== undefined) return { kind: 'proposal', ...proposal };
  if (prepare !== undefined) return { kind: 'prepare', vote: prepare };
  if (commit !== undefined) return { kind: 'commit', vote: commit };
  if (roundChange !== undefined) return { kind: 'round-change', ...roundChange };
  if (decided !== undefined) return { kind: 'decided', ...decided };
  if (status !== undefined) return { kind: 'status', ...status };
  if (want !== undefined) return { kind: 'want', ...want };
  if (body !== undefined) return { kind: 'body', ...body };
  return undefined;
}

const ROUND_CHANGE_TAG = utf8('it-chain/round-change/1');

/** The digest of a ROUND_CHANGE that claims nothing, by far the most frequent one. */
const NO_CLAIM = sha256(concatBytes(ROUND_CHANGE_TAG, new Uint8Array([0])));

/** What a ROUND_CHANGE signs as its digest: the hash of the claim, or of its absence. 32 bytes. */
export function claimDigest(prepared: PreparedClaim | undefined): Uint8Array {
  if (prepared === undefined) return NO_CLAIM;
  return sha256(concatBytes(ROUND_CHANGE_TAG, new Uint8Array([1]), PreparedClaim.encode(prepared)));
}

/** The bytes that the signature of a vote covers. */
export function signedBytes(network: Uint8Array, vote: SignedVote): Uint8Array {
  const { type, height, round, digest } = vote;
  return voteSigningBytes(network, { type, height, round, digest });
}

/** Every vote in a message, its own first: all of them need a valid signature before the machine sees it. */
export function votesIn(content: ConsensusMessage): readonly SignedVote[] {
  switch (content.kind) {
    case 'proposal':
      return [content.vote, ...content.roundChanges.map((claim) => claim.vote), ...content.prepares];
    case 'prepare':
    case 'commit':
      return [content.vote];
    case 'round-change':
      return [content.vote, ...content.prepares];
    case 'status':
      return content.seen === undefined ? [] : [content.seen];
    case 'decided':
    case 'want':
    case 'body':
      return [];
  }
}
