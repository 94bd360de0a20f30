import { faultTolerance, leaderOf, quorumOf, toHex, type ChainTip, type ValidatorSet } from '@it-chain/contracts';

/** A validator set with what is counted with it. Plain data, so that a state can be copied. */
export interface Members {
  readonly set: ValidatorSet;
  /** Public keys in hex, in the order of the set. */
  readonly keys: readonly string[];
  readonly index: ReadonlyMap<string, number>;
  readonly n: number;
  /** Byzantine validators tolerated. */
  readonly f: number;
  /** Votes that decide. */
  readonly q: number;
}

/** Looks at a set once, so that every later question is a map lookup. */
export function membersOf(set: ValidatorSet): Members {
  const keys = set.validators.map((validator) => toHex(validator.publicKey));
  const n = keys.length;
  return {
    set,
    keys,
    index: new Map(keys.map((key, index) => [key, index])),
    n,
    f: faultTolerance(n),
    q: quorumOf(n),
  };
}

/** The public key (hex) of leader(tip + 1, round). */
export function leaderKey(members: Members, tip: ChainTip, round: number, leaderTerm: number): string {
  const previous = { publicKey: tip.proposer, sequence: tip.proposerSequence };
  return members.keys[leaderOf(members.set, tip.height + 1, round, previous, leaderTerm)] ?? '';
}
