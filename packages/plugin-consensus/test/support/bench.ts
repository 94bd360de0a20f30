import { toHex, type Block, type ChainTip } from '@it-chain/contracts';
import {
  createState,
  step,
  type ConsensusMessage,
  type Effect,
  type Input,
  type LogRecord,
  type MachineOptions,
  type PreparedClaim,
  type SignedVote,
  type State,
} from '@it-chain/plugin-consensus';
import {
  blockOn,
  digestOf,
  genesisTip,
  keyOf,
  optionsOf,
  roundChangeVote,
  signRecord,
  tipAfter,
  voteOf,
} from './fixtures.js';

/** One machine on a bench: inputs by hand, effects to look at. Own votes are signed at once unless `holdSigning`. */
export class Bench {
  readonly state: State;
  effects: Effect[] = [];
  readonly signed: LogRecord[] = [];
  holdSigning = false;
  tip: ChainTip;

  constructor(
    readonly self: number,
    readonly n: number,
    options: Partial<MachineOptions> = {},
    start: { readonly tip?: ChainTip; readonly records?: readonly LogRecord[] } = {},
  ) {
    this.state = createState(optionsOf(self, options));
    this.tip = start.tip ?? genesisTip(n);
    this.input({ type: 'start', tip: this.tip, records: start.records ?? [] });
  }

  /** Gives an input and returns its effects, those of signing included. */
  input(input: Input): Effect[] {
    const out: Effect[] = [];
    const queue: Input[] = [input];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      for (const effect of step(this.state, next)) {
        out.push(effect);
        if (effect.type !== 'sign') continue;
        const record = signRecord(effect.record);
        this.signed.push(record);
        if (!this.holdSigning) queue.push({ type: 'signed', record });
      }
    }
    this.effects.push(...out);
    return out;
  }

  work(pooled = true, leaderDown = false): Effect[] {
    return this.input({ type: 'work', pooled, leaderDown });
  }

  receive(from: number, content: ConsensusMessage, attempt = 0): Effect[] {
    return this.input({ type: 'message', from: keyOf(from), content, attempt });
  }

  vote(from: number, kind: 'prepare' | 'commit', round: number, block: Block): Effect[] {
    return this.receive(from, { kind, vote: voteOf(from, kind, this.tip.height + 1, round, digestOf(block)) });
  }

  /** A proposal of round 0, or a justified one of a higher round. */
  propose(
    from: number,
    round: number,
    block: Block,
    changes: Partial<Extract<ConsensusMessage, { kind: 'proposal' }>> = {},
  ): Effect[] {
    const vote = voteOf(from, 'proposal', this.tip.height + 1, round, digestOf(block));
    return this.receive(from, { kind: 'proposal', vote, block, roundChanges: [], prepares: [], ...changes });
  }

  roundChange(
    from: number,
    round: number,
    prepared?: PreparedClaim,
    block?: Block,
    prepares: readonly SignedVote[] = [],
  ): Effect[] {
    const vote = roundChangeVote(from, this.tip.height + 1, round, prepared);
    return this.receive(from, { kind: 'round-change', vote, prepared, block, prepares });
  }

  claims(
    round: number,
    signers: readonly number[],
    prepared?: PreparedClaim,
  ): Extract<ConsensusMessage, { kind: 'proposal' }>['roundChanges'] {
    return signers.map((signer) => ({ vote: roundChangeVote(signer, this.tip.height + 1, round, prepared), prepared }));
  }

  prepares(round: number, block: Block, signers: readonly number[]): SignedVote[] {
    return signers.map((signer) => voteOf(signer, 'prepare', this.tip.height + 1, round, digestOf(block)));
  }

  block(creator: number, salt = 0): Block {
    return blockOn(this.tip, creator, salt);
  }

  built(round: number, block: Block): Effect[] {
    return this.input({ type: 'built', height: this.tip.height + 1, round, block, digest: digestOf(block) });
  }

  /** Answers every check that was asked for and not answered. */
  check(verdict: 'valid' | 'invalid' | 'unknown' = 'valid'): Effect[] {
    return [...this.state.at.checks.keys()].flatMap((check) => this.input({ type: 'checked', check, verdict }));
  }

  timeout(round = this.state.at.round): Effect[] {
    return this.input({ type: 'timeout', timer: 'round', height: this.state.height, round });
  }

  commit(block: Block): Effect[] {
    this.tip = tipAfter(this.tip, block);
    return this.input({ type: 'committed', tip: this.tip });
  }

  /** `type/round` of everything that was signed. */
  get said(): string[] {
    return this.signed.map(({ message }) => `${message.kind}/${message.vote.round}`);
  }

  /** Digest (hex) of the last vote of a kind. */
  lastDigest(kind: string): string | undefined {
    const record = this.signed.findLast(({ message }) => message.kind === kind);
    return record === undefined ? undefined : toHex(record.message.vote.digest);
  }
}

export const only = <T extends Effect['type']>(effects: readonly Effect[], type: T): Extract<Effect, { type: T }>[] =>
  effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
