import { toHex, type ChainTip } from '@it-chain/contracts';
import { broken } from '../invariants.js';

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
  /** Validators of the largest set that was seen. */
  largestSet = 0;
  /** Where each node executed each transaction. */
  readonly #executed = new Map<number, Map<string, number>>();

  onSubmitted(id: Uint8Array): void {
    this.#submitted.add(toHex(id));
  }

  onVote(node: number, slot: string, digest: string): void {
    const key = `${node}/${slot}`;
    const before = this.#votes.get(key);
    if (before !== undefined && before !== digest)
      broken('noDoubleSign', `node ${node} signed two digests for ${slot}`);
    this.#votes.set(key, digest);
  }

  onTold(node: number, { height, digest, transactions }: ToldBlock): void {
    this.#onDigest(node, height, toHex(digest));
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

  #onDigest(node: number, height: number, digest: string): void {
    const known = this.#digests.get(height);
    if (known !== undefined && known !== digest) {
      broken('agreement', `node ${node} has ${digest.slice(0, 12)} at ${height}, another one ${known.slice(0, 12)}`);
    }
    this.#digests.set(height, digest);
  }

  onTip(node: number, tip: ChainTip): void {
    const { height } = tip;
    if (height === 0) return;
    this.#onDigest(node, height, toHex(tip.digest));
    const check = (known: Map<number, string>, value: string, invariant: 'stateEquality' | 'setDeterminism'): void => {
      const before = known.get(height);
      if (before !== undefined && before !== value) broken(invariant, `node ${node} differs at ${height}`);
      known.set(height, value);
    };
    check(this.#roots, toHex(tip.stateRoot), 'stateEquality');
    this.largestSet = Math.max(this.largestSet, tip.validators.validators.length);
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
