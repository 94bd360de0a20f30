import {
  sameBytes,
  toHex,
  validatorIndex,
  validatorSetHash,
  type Block,
  type Certificate,
  type ChainTip,
  type ValidatorSet,
} from '@it-chain/contracts';
import { quorumAmong } from './arithmetic.js';
import type { Keyring } from './keyring.js';
import type { MachineBuffer, MachineView, Message, Vote } from './machine.js';
import { readHeader } from './stub-chain.js';

/** What must hold, by the names of the consensus document. */
export const INVARIANTS = [
  'agreement',
  'oneCertificate',
  'validity',
  'atMostOnce',
  'durability',
  'noDoubleSign',
  'setDeterminism',
  'stateEquality',
  'liveness',
  'boundedness',
  'determinism',
] as const;
/** Name of an invariant: one of {@link INVARIANTS}. */
export type Invariant = (typeof INVARIANTS)[number];

/** A run broke an invariant, or the code under simulation threw: then `invariant` is `exception`. */
export class InvariantViolation extends Error {
  constructor(
    readonly invariant: Invariant | 'exception',
    detail: string,
  ) {
    super(`${invariant}: ${detail}`);
    this.name = 'InvariantViolation';
  }
}

/** Fails with the invariant's name. @throws InvariantViolation */
export function broken(invariant: Invariant, detail: string): never {
  throw new InvariantViolation(invariant, detail);
}

/** Watches a core simulation from outside: it knows every message and every commit, and trusts no node's own checks. */
export class CoreInvariants {
  /** Hex digest decided at each height, by whoever was first. */
  readonly decided = new Map<number, string>();
  readonly #tips = new Map<number, ChainTip>();
  readonly #leaders = new Map<number, string>();
  readonly #submitted = new Set<string>();
  readonly #commits = new Map<string, Set<number>>();
  readonly #signed = new Map<string, string>();
  readonly #roundChanged = new Map<string, number>();
  readonly #executed: Set<string>[] = [];
  /** Height that each process has acknowledged as committed. */
  readonly #acknowledged: number[] = [];
  readonly #seen = new WeakSet<Message>();

  constructor(
    readonly keyring: Keyring,
    genesis: ChainTip,
    /** False for an identity that may do anything. */
    readonly isCorrect: (identity: number) => boolean,
    readonly leaderTerm: number,
  ) {
    this.#tips.set(0, genesis);
  }

  /** A client submitted this transaction. */
  onSubmitted(transaction: string): void {
    this.#submitted.add(transaction);
  }

  /** V(height), once some node has reached the height below. */
  validatorsAt(height: number): ValidatorSet | undefined {
    return this.#tips.get(height - 1)?.validators;
  }

  /** A message left a process: oneCertificate over every message ever sent, noDoubleSign over those of correct nodes. */
  onMessage(identity: number, message: Message): void {
    if (!('vote' in message) || this.#seen.has(message)) return;
    this.#seen.add(message);
    const { vote } = message;
    if (vote.type === 'commit' && this.keyring.verifyVote(vote)) this.#onCommitVote(vote);
    if (this.isCorrect(identity) && this.keyring.indexOf(vote.signer) === identity) this.#onOwnVote(identity, vote);
  }

  #onOwnVote(identity: number, vote: Vote): void {
    const { type, height, round } = vote;
    const digest = toHex(vote.digest);
    const slot = `${identity}/${type}/${height}/${round}`;
    const before = this.#signed.get(slot);
    if (before !== undefined && before !== digest) {
      broken('noDoubleSign', `node ${identity} signed two digests for ${type} ${height}/${round}`);
    }
    this.#signed.set(slot, digest);
    const above = `${identity}/${height}`;
    const changed = this.#roundChanged.get(above) ?? 0;
    if (type === 'round-change') this.#roundChanged.set(above, Math.max(round, changed));
    if (before === undefined && type === 'commit' && round < changed) {
      broken('noDoubleSign', `node ${identity} sent COMMIT ${height}/${round} after ROUND_CHANGE ${changed}`);
    }
  }

  #onCommitVote({ height, round, digest, signer }: Vote): void {
    const set = this.validatorsAt(height);
    const index = set === undefined ? -1 : validatorIndex(set, signer);
    if (set === undefined || index < 0) return;
    const value = toHex(digest);
    const slot = `${height}/${round}/${value}`;
    const signers = this.#commits.get(slot) ?? new Set<number>();
    this.#commits.set(slot, signers.add(index));
    if (signers.size < quorumAmong(set.validators.length)) return;
    this.#decide('oneCertificate', height, value);
  }

  #decide(invariant: Invariant, height: number, digest: string): void {
    const known = this.decided.get(height);
    if (known !== undefined && known !== digest) {
      broken(invariant, `height ${height} has ${known.slice(0, 12)} and ${digest.slice(0, 12)}`);
    }
    this.decided.set(height, digest);
  }

  /** A correct process has a block on disk and says so. */
  onCommitted(process: number, block: Block, certificate: Certificate, before: ChainTip, after: ChainTip): void {
    const { height } = after;
    this.#decide('agreement', height, toHex(after.digest));
    if (!sameBytes(certificate.digest, after.digest))
      broken('agreement', `the certificate of ${height} is of another block`);
    this.#checkValidity(block, certificate, before);
    this.#checkOnce(process, height, block);
    this.#checkEquality(process, after);
    this.#acknowledged[process] = height;
  }

  #checkValidity(block: Block, certificate: Certificate, before: ChainTip): void {
    const header = readHeader(block);
    const height = before.height + 1;
    if (header?.height !== height) broken('validity', `the block at ${height} is none of that height`);
    if (!this.#mayHaveLed(before, header.proposer, certificate.round)) {
      broken('validity', `the proposer of ${height} led no round up to ${certificate.round}`);
    }
    for (const transaction of block.transactions) {
      const text = Buffer.from(transaction).toString();
      if (!this.#submitted.has(text))
        broken('validity', `nobody submitted "${text.slice(0, 40)}", committed at ${height}`);
    }
    const set = this.validatorsAt(height) ?? before.validators;
    const quorum = quorumAmong(set.validators.length);
    const members = new Set(certificate.seals.map(({ validator }) => validator));
    if (members.size < quorum)
      broken('validity', `the certificate of ${height} has ${members.size} of ${quorum} members`);
  }

  /** leader(h, r) for some r <= round, computed here and not by the code under test. */
  #mayHaveLed(before: ChainTip, proposer: Uint8Array, round: number): boolean {
    const { validators } = before.validators;
    const n = validators.length;
    let first = validatorIndex(before.validators, before.proposer);
    if (first < 0) first = validators.findIndex(({ sequence }) => sequence > before.proposerSequence);
    if (first < 0) first = 0;
    if (this.leaderTerm > 0 && (before.height + 1) % this.leaderTerm === 0) first += 1;
    for (let r = 0; r <= Math.min(round, n - 1); r += 1) {
      const leader = validators[(first + r) % n];
      if (leader !== undefined && sameBytes(leader.publicKey, proposer)) return true;
    }
    return false;
  }

  #checkOnce(process: number, height: number, block: Block): void {
    const executed = (this.#executed[process] ??= new Set());
    for (const transaction of block.transactions) {
      const text = Buffer.from(transaction).toString();
      if (executed.has(text)) broken('atMostOnce', `"${text.slice(0, 40)}" again at ${height}`);
      executed.add(text);
    }
  }

  #checkEquality(process: number, after: ChainTip): void {
    const known = this.#tips.get(after.height);
    if (known === undefined) {
      this.#tips.set(after.height, after);
      return;
    }
    if (!sameBytes(known.stateRoot, after.stateRoot)) {
      broken('stateEquality', `process ${process} has another state root at ${after.height}`);
    }
    const same = (a: ValidatorSet, b: ValidatorSet): boolean => sameBytes(validatorSetHash(a), validatorSetHash(b));
    if (!same(known.validators, after.validators) || !same(known.nextValidators, after.nextValidators)) {
      broken('setDeterminism', `process ${process} has other validators after ${after.height}`);
    }
  }

  /** What a correct machine holds to be the validators and the leader of its open height. */
  onView(process: number, view: MachineView): void {
    const told = `${view.leader}/${view.validators.join()}`;
    const known = this.#leaders.get(view.height);
    if (known === undefined) this.#leaders.set(view.height, told);
    else if (known !== told)
      broken('setDeterminism', `process ${process} sees another leader or set at ${view.height}`);
    const set = this.validatorsAt(view.height);
    const expected = set?.validators.map(({ publicKey }) => toHex(publicKey)).join();
    if (expected !== undefined && expected !== view.validators.join()) {
      broken('setDeterminism', `process ${process} counts other validators than V(${view.height})`);
    }
  }

  /** A process starts again from its disk: all that it acknowledged is there. */
  onStarted(process: number, tips: readonly ChainTip[]): void {
    const acknowledged = this.#acknowledged[process] ?? 0;
    const height = tips.length - 1;
    if (height < acknowledged)
      broken('durability', `process ${process} acknowledged ${acknowledged} and has ${height}`);
    const digest = tips[acknowledged]?.digest;
    const known = this.decided.get(acknowledged);
    if (acknowledged > 0 && known !== undefined && (digest === undefined || toHex(digest) !== known)) {
      broken('durability', `process ${process} lost block ${acknowledged}`);
    }
  }

  /** The disk of a process was replaced: it owes nothing any more. */
  onWiped(process: number): void {
    this.#acknowledged[process] = 0;
    this.#executed[process] = new Set();
  }

  /** Checks `boundedness`. @throws InvariantViolation */
  onBuffers(process: number, buffers: readonly MachineBuffer[]): void {
    for (const { name, size, limit } of buffers) {
      if (size > limit) broken('boundedness', `process ${process} keeps ${size} of ${name}; the limit is ${limit}`);
    }
  }

  /** Evidence convicts: against a correct node it is a fault of the accuser or of the accused. */
  onEvidence(first: Vote, second: Vote): void {
    const identity = this.keyring.indexOf(first.signer);
    if (this.isCorrect(identity)) {
      broken('noDoubleSign', `evidence against node ${identity}: ${first.type} ${first.height}/${first.round}`);
    }
    if (sameBytes(first.digest, second.digest)) broken('noDoubleSign', 'evidence of nothing');
  }
}

/** A throw of the code under simulation is a finding like any broken invariant. */
export function thrown(error: unknown, where: string): InvariantViolation {
  if (error instanceof InvariantViolation) return error;
  const violation = new InvariantViolation(
    'exception',
    `${where}: ${error instanceof Error ? error.message : String(error)}`,
  );
  violation.cause = error;
  return violation;
}
