import {
  BlockHeader,
  concatBytes,
  headerDigest,
  sameBytes,
  sha256,
  toHex,
  utf8,
  validatorSetHash,
  type Block,
  type ChainTip,
  type ValidatorSet,
} from '@it-chain/contracts';
import { claimDigest, type PreparedClaim, type SignedVote } from '../../dist/machine/messages.js';
import { createState, type State } from '../../dist/machine/state.js';
import type { LogRecord, MachineOptions, OwnVoteType } from '../../dist/machine/interface.js';

export const NETWORK = sha256(utf8('test network'));

/** The public key of validator `index`; sorted by nothing: the order of the set is the order of joining. */
export const keyOf = (index: number): Uint8Array => sha256(utf8(`validator ${index}`));

export function setOf(n: number): ValidatorSet {
  return { validators: Array.from({ length: n }, (_, sequence) => ({ publicKey: keyOf(sequence), sequence })) };
}

export function optionsOf(self: number, options: Partial<MachineOptions> = {}): MachineOptions {
  return {
    self: keyOf(self),
    network: NETWORK,
    leaderTerm: 0,
    baseTimeoutMs: 1_000,
    maxTimeoutMs: 8_000,
    rebroadcastMs: 250,
    statusMs: 1_000,
    roundWindow: 10,
    decidedReach: 5,
    maxPeers: 100,
    acceptDoubleSignRisk: false,
    ...options,
  };
}

export function genesisTip(n: number): ChainTip {
  const set = setOf(n);
  return {
    network: NETWORK,
    height: 0,
    digest: NETWORK,
    stateRoot: new Uint8Array(32),
    rootCertified: true,
    time: 1,
    proposer: keyOf(0),
    proposerSequence: 0,
    validators: set,
    nextValidators: set,
    learners: [],
    systemRoot: new Uint8Array(32),
    applicationRoot: new Uint8Array(32),
  };
}

/** A block on a tip. `salt` makes it another one; a non-empty `transactions` uncertifies the root. */
export function blockOn(tip: ChainTip, creator: number, salt = 0, transactions: readonly Uint8Array[] = []): Block {
  const header = BlockHeader.encode({
    version: 1,
    network: NETWORK,
    height: tip.height + 1,
    previous: tip.digest,
    proposer: keyOf(creator),
    proposerSequence: creator,
    time: tip.time + 1 + salt,
    transactionRoot: sha256(concatBytes(...transactions)),
    transactionCount: transactions.length,
    previousStateRoot: tip.stateRoot,
    validators: validatorSetHash(tip.validators),
    nextValidators: validatorSetHash(tip.nextValidators),
  });
  return { header, transactions };
}

export const digestOf = (block: Block): Uint8Array => headerDigest(block.header, NETWORK);

/** What the chain of the tests answers to `block.check`. */
export function isValidBody(block: Block): boolean {
  const header = BlockHeader.decode(block.header);
  return sameBytes(header.transactionRoot, sha256(concatBytes(...block.transactions)));
}

export function tipAfter(tip: ChainTip, block: Block): ChainTip {
  const header = BlockHeader.decode(block.header);
  const changes = block.transactions.length > 0;
  return {
    ...tip,
    height: header.height,
    digest: digestOf(block),
    stateRoot: changes ? sha256(concatBytes(tip.stateRoot, ...block.transactions)) : tip.stateRoot,
    rootCertified: !changes,
    time: header.time,
    proposer: header.proposer,
    proposerSequence: header.proposerSequence,
    validators: tip.nextValidators,
    nextValidators: setAfter(tip, block),
  };
}

/** A transaction `members=2,0,5` makes these the validators from two heights later on, in the order of joining. */
function setAfter(tip: ChainTip, block: Block): ValidatorSet {
  for (const transaction of block.transactions) {
    const text = Buffer.from(transaction).toString();
    if (!text.startsWith('members=')) continue;
    const members = text.split(';')[0]?.slice('members='.length).split(',').map(Number) ?? [];
    return { validators: members.map((sequence) => ({ publicKey: keyOf(sequence), sequence })) };
  }
  return tip.nextValidators;
}

/** A "signature" that the in-test network takes for valid: the machine never looks at it. */
export const signatureOf = (signer: Uint8Array): Uint8Array => concatBytes(signer, signer);

export function voteOf(
  signer: number,
  type: OwnVoteType,
  height: number,
  round: number,
  digest: Uint8Array,
): SignedVote {
  return { type, height, round, digest, signer: keyOf(signer), signature: signatureOf(keyOf(signer)) };
}

export function roundChangeVote(signer: number, height: number, round: number, prepared?: PreparedClaim): SignedVote {
  return voteOf(signer, 'round-change', height, round, claimDigest(prepared));
}

export function signRecord(record: LogRecord): LogRecord {
  const { message } = record;
  return { ...record, message: { ...message, vote: { ...message.vote, signature: signatureOf(message.vote.signer) } } };
}

export function startedState(self: number, n: number, options: Partial<MachineOptions> = {}): State {
  return createState(optionsOf(self, options));
}

export const nameOf = (key: Uint8Array): string => {
  for (let index = 0; index < 100; index += 1) if (sameBytes(keyOf(index), key)) return String(index);
  return toHex(key).slice(0, 6);
};
