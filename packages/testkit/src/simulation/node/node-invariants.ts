import { toHex, verifySignature, voteSigningBytes, type ChainTip, type ValidatorSet } from '@it-chain/contracts';
import { quorumAmong } from '../arithmetic.js';
import { broken, type Invariant } from '../invariants.js';
import type { Message, Vote } from '../machine.js';

/** What a node told when it had committed a block. */
export interface ToldBlock {
  readonly height: number;
  readonly digest: Uint8Array;
  readonly transactions: readonly Uint8Array[];
}

/** Watches whole nodes from outside: what they tell, what they answer, and what they sign. */
export class NodeInvariants {
  readonly #digests = new Map<number, string>();
  readonly #roots = new Map<number, string>();
  readonly #sets = new Map<number, string>();
  readonly #votes = new Map<string, string>();
  readonly #submitted = new Set<string>();
  /** Height and id of what was told as committed, by anybody: it holds for ever. */
  readonly acknowledged = new Map<string, number>();
  /** The highest block that each node told: it must be on its own disk. */
  readonly told = new Map<number, number>();
  /** Validators of the largest set that was seen, and of the one at the highest tip. */
  largestSet = 0;
  lastSet = { height: 0, size: 0 };
  /** Where each node executed each transaction. */
  readonly #executed = new Map<number, Map<string, number>>();

  /** Public keys, hex, of V(height). */
  readonly #validators = new Map<number, ReadonlySet<string>>();
  /** Who signed COMMIT, by height, then by round and digest. */
  readonly #commits = new Map<number, Map<string, Set<string>>>();

  /** Something that a process, honest or not, says to others. */
  onMessage(network: Uint8Array, message: Message): void {
    if (message.kind === 'commit' && message.vote.type === 'commit') this.#onCommit(network, message.vote);
  }

  #onCommit(network: Uint8Array, vote: Vote): void {
    const { type, height, round, digest, signer, signature } = vote;
    const slots = this.#commits.get(height) ?? new Map<string, Set<string>>();
    this.#commits.set(height, slots);
    const slot = `${round}/${toHex(digest)}`;
    const signers = slots.get(slot) ?? new Set<string>();
    const name = toHex(signer);
    if (signers.has(name)) return;
    if (!verifySignature(signer, voteSigningBytes(network, { type, height, round, digest }), signature)) return;
    slots.set(slot, signers.add(name));
    this.#countCommits(height);
  }

  /** A quorum of COMMITs is a certificate, whether or not anybody has put it together. */
  #countCommits(height: number): void {
    const validators = this.#validators.get(height);
    if (validators === undefined) return;
    for (const [slot, signers] of this.#commits.get(height) ?? []) {
      const count = [...signers].filter((signer) => validators.has(signer)).length;
      if (count < quorumAmong(validators.size)) continue;
      const digest = slot.slice(slot.indexOf('/') + 1);
      this.#onDigest('oneCertificate', 'a quorum signed', height, digest);
    }
  }

  #onSet(height: number, { validators }: ValidatorSet): void {
    if (this.#validators.has(height)) return;
    this.#validators.set(height, new Set(validators.map(({ publicKey }) => toHex(publicKey))));
    this.#countCommits(height);
  }

  /** Evidence convicts: against a correct node it is a fault of the accuser or of the accused. */
  onEvidence(node: number, accused: string): void {
    broken('noDoubleSign', `node ${node} has evidence against ${accused}, which keeps the rules`);
  }

  /** A client submits a transaction. */
  onSubmitted(id: Uint8Array): void {
    this.#submitted.add(toHex(id));
  }

  /** A correct node signs a vote. @throws InvariantViolation noDoubleSign */
  onVote(node: number, slot: string, digest: string): void {
    const key = `${node}/${slot}`;
    const before = this.#votes.get(key);
    if (before !== undefined && before !== digest)
      broken('noDoubleSign', `node ${node} signed two digests for ${slot}`);
    this.#votes.set(key, digest);
  }

  /** A node tells a block as committed. @throws InvariantViolation */
  onTold(node: number, { height, digest, transactions }: ToldBlock): void {
    this.#onDigest('agreement', `node ${node} has`, height, toHex(digest));
    this.told.set(node, Math.max(height, this.told.get(node) ?? 0));
    const executed = this.#executed.get(node) ?? new Map<string, number>();
    this.#executed.set(node, executed);
    for (const transaction of transactions) {
      const id = toHex(transaction);
      const before = executed.get(id);
      if (before !== undefined && before !== height) {
        broken('atMostOnce', `node ${node} executed ${id.slice(0, 12)} at ${before} and ${height}`);
      }
      executed.set(id, height);
      if (this.#submitted.has(id)) this.acknowledged.set(id, height);
    }
  }

  #onDigest(invariant: Invariant, who: string, height: number, digest: string): void {
    const known = this.#digests.get(height);
    if (known !== undefined && known !== digest) {
      broken(invariant, `${who} ${digest.slice(0, 12)} at ${height}, known was ${known.slice(0, 12)}`);
    }
    this.#digests.set(height, digest);
  }

  /** What a node says of the chain, at any moment. @throws InvariantViolation */
  onTip(node: number, tip: ChainTip): void {
    const { height } = tip;
    this.#onSet(height + 1, tip.validators);
    this.#onSet(height + 2, tip.nextValidators);
    if (height === 0) return;
    this.#onDigest('agreement', `node ${node} has`, height, toHex(tip.digest));
    const check = (known: Map<number, string>, value: string, invariant: 'stateEquality' | 'setDeterminism'): void => {
      const before = known.get(height);
      if (before !== undefined && before !== value) broken(invariant, `node ${node} differs at ${height}`);
      known.set(height, value);
    };
    check(this.#roots, toHex(tip.stateRoot), 'stateEquality');
    this.largestSet = Math.max(this.largestSet, tip.validators.validators.length);
    if (height >= this.lastSet.height) this.lastSet = { height, size: tip.nextValidators.validators.length };
    const keys = [...tip.validators.validators, ...tip.nextValidators.validators];
    check(this.#sets, keys.map(({ publicKey }) => toHex(publicKey)).join(), 'setDeterminism');
  }

  /** The tip of a node after a restart: what it was among the first to tell is still there. */
  onRestarted(node: number, tip: ChainTip): void {
    const owed = this.told.get(node) ?? 0;
    if (tip.height < owed) broken('durability', `node ${node} told block ${owed} and came back with ${tip.height}`);
    this.onTip(node, tip);
  }
}
