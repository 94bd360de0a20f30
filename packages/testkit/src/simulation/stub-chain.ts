import {
  BlockHeader,
  concatBytes,
  headerDigest,
  headerProblem,
  isItChainError,
  sameBytes,
  sha256,
  toHex,
  utf8,
  validatorSetHash,
  type Block,
  type Certificate,
  type ChainTip,
  type ValidatorSet,
} from '@it-chain/contracts';
import { publicKeyOf } from './keyring.js';

/** The network of every core simulation. */
export const SIMULATED_NETWORK = sha256(utf8('test network'));

/** Transactions in one block of the stub chain. */
const MAX_TRANSACTIONS = 3;

/** A block with its certificate. */
export interface CommittedBlock {
  readonly block: Block;
  readonly certificate: Certificate;
}

/** The set of these identities; its order is the order of joining. */
export function validatorsOf(identities: readonly number[]): ValidatorSet {
  const sorted = [...identities].sort((a, b) => a - b);
  return { validators: sorted.map((sequence) => ({ publicKey: publicKeyOf(sequence), sequence })) };
}

/** The tip before block 1 with identities 0 to `validators` - 1. */
export function genesisTip(validators: number, network: Uint8Array = SIMULATED_NETWORK): ChainTip {
  const set = validatorsOf(Array.from({ length: validators }, (_, index) => index));
  return {
    network,
    height: 0,
    digest: network,
    stateRoot: new Uint8Array(32),
    rootCertified: true,
    time: 1,
    proposer: publicKeyOf(0),
    proposerSequence: 0,
    validators: set,
    nextValidators: set,
    learners: [],
    systemRoot: new Uint8Array(32),
    applicationRoot: new Uint8Array(32),
  };
}

/** A block on a tip; `time` must exceed the tip's. */
export function blockOn(
  tip: ChainTip,
  creator: number,
  time: number,
  transactions: readonly Uint8Array[] = [],
): { readonly block: Block; readonly digest: Uint8Array } {
  const header = BlockHeader.encode({
    version: 1,
    network: tip.network,
    height: tip.height + 1,
    previous: tip.digest,
    proposer: publicKeyOf(creator),
    proposerSequence: creator,
    time,
    transactionRoot: rootOf(transactions),
    transactionCount: transactions.length,
    previousStateRoot: tip.stateRoot,
    validators: validatorSetHash(tip.validators),
    nextValidators: validatorSetHash(tip.nextValidators),
  });
  return { block: { header, transactions }, digest: headerDigest(header, tip.network) };
}

const tipsAfter = new WeakMap<Block, WeakMap<ChainTip, ChainTip>>();
const problems = new WeakMap<Block, WeakMap<ChainTip, { readonly problem: string | undefined }>>();

/** What a pure function of a block and a tip gives, computed once: the nodes of a run share both. */
function once<T>(cache: WeakMap<Block, WeakMap<ChainTip, T>>, block: Block, tip: ChainTip, compute: () => T): T {
  let byTip = cache.get(block);
  if (byTip === undefined) {
    byTip = new WeakMap();
    cache.set(block, byTip);
  }
  let value = byTip.get(tip);
  if (value === undefined) {
    value = compute();
    byTip.set(tip, value);
  }
  return value;
}

/** The tip after a block. A transaction `members=2,0,5` makes these the validators from two heights later on. */
export function tipAfter(tip: ChainTip, block: Block): ChainTip {
  return once(tipsAfter, block, tip, () => computeTip(tip, block));
}

function computeTip(tip: ChainTip, block: Block): ChainTip {
  const header = BlockHeader.decode(block.header);
  const changes = block.transactions.length > 0;
  return {
    ...tip,
    height: header.height,
    digest: headerDigest(block.header, tip.network),
    stateRoot: changes ? sha256(concatBytes(tip.stateRoot, ...block.transactions)) : tip.stateRoot,
    rootCertified: !changes,
    time: header.time,
    proposer: header.proposer,
    proposerSequence: header.proposerSequence,
    validators: tip.nextValidators,
    nextValidators: setAfter(tip, block),
  };
}

function setAfter(tip: ChainTip, block: Block): ValidatorSet {
  for (const transaction of block.transactions) {
    const members = membersIn(Buffer.from(transaction).toString());
    if (members !== undefined) return validatorsOf(members);
  }
  return tip.nextValidators;
}

/** The members that a transaction asks for, if it does. */
export function membersIn(transaction: string): number[] | undefined {
  if (!transaction.startsWith('members=')) return undefined;
  return transaction.split(';')[0]?.slice('members='.length).split(',').map(Number);
}

function rootOf(transactions: readonly Uint8Array[]): Uint8Array {
  return sha256(concatBytes(...transactions));
}

/**
 * The chain of one simulated node: it keeps the rules that consensus relies on and executes nothing. What is in here is
 * on disk: a crash leaves it as it is.
 */
export class StubChain {
  readonly blocks: CommittedBlock[] = [];
  readonly tips: ChainTip[];
  readonly #committed = new Set<string>();

  constructor(
    readonly self: number,
    genesis: ChainTip,
  ) {
    this.tips = [genesis];
  }

  get tip(): ChainTip {
    const tip = this.tips.at(-1);
    if (tip === undefined) throw new Error('a chain has a genesis');
    return tip;
  }

  /** True where a block with this transaction is committed. */
  has(transaction: string): boolean {
    return this.#committed.has(transaction);
  }

  /** A block of what waits, at local time `now`. */
  build(pool: Iterable<string>, now: number): { readonly block: Block; readonly digest: Uint8Array } {
    const transactions: Uint8Array[] = [];
    for (const transaction of pool) {
      if (transactions.length >= MAX_TRANSACTIONS) break;
      if (!this.has(transaction)) transactions.push(utf8(transaction));
    }
    return blockOn(this.tip, this.self, Math.max(Math.floor(now), this.tip.time + 1), transactions);
  }

  /**
   * The rule that a block breaks as the next one, if any. `fresh`: its time is compared with `now`; one millisecond after
   * the parent is never too early, or a chain whose clocks were ahead would stand still until time has caught up.
   */
  problemOf(block: Block, fresh: boolean, now: number, futureMs: number): string | undefined {
    const { tip } = this;
    const { problem } = once(problems, block, tip, () => ({ problem: problemOn(tip, block) }));
    if (problem !== undefined) return problem;
    if (fresh) {
      const time = readHeader(block)?.time ?? 0;
      if (time > now + futureMs && time > tip.time + 1) return 'a time in the future';
    }
    return block.transactions.some((transaction) => this.has(Buffer.from(transaction).toString()))
      ? 'a transaction that is committed'
      : undefined;
  }

  /** Appends a block that is certified. */
  append(committed: CommittedBlock): ChainTip {
    const next = tipAfter(this.tip, committed.block);
    this.blocks.push(committed);
    this.tips.push(next);
    for (const transaction of committed.block.transactions) {
      this.#committed.add(Buffer.from(transaction).toString());
    }
    return next;
  }

  /** Forgets everything: the disk was replaced. */
  wipe(): void {
    this.blocks.length = 0;
    this.tips.length = 1;
    this.#committed.clear();
  }

  /** Hex digests of the blocks from height 1 on. */
  digests(): string[] {
    return this.tips.slice(1).map(({ digest }) => toHex(digest));
  }
}

function problemOn(tip: ChainTip, block: Block): string | undefined {
  const header = readHeader(block);
  if (header === undefined) return 'a header that cannot be read';
  const problem = headerProblem(header, tip);
  if (problem !== undefined) return problem;
  if (!sameBytes(header.previousStateRoot, tip.stateRoot)) return 'another state root';
  const { transactions } = block;
  if (header.transactionCount !== transactions.length || !sameBytes(header.transactionRoot, rootOf(transactions)))
    return 'a body that is not of this header';
  const texts = transactions.map((transaction) => Buffer.from(transaction).toString());
  return new Set(texts).size === texts.length ? undefined : 'a transaction twice';
}

const headers = new WeakMap<Block, { readonly header: BlockHeader | undefined }>();

/** The header of a block, undefined where it cannot be read. */
export function readHeader(block: Block): BlockHeader | undefined {
  const known = headers.get(block);
  if (known !== undefined) return known.header;
  const header = decodeHeader(block);
  headers.set(block, { header });
  return header;
}

function decodeHeader(block: Block): BlockHeader | undefined {
  try {
    return BlockHeader.decodeCanonical(block.header);
  } catch (error) {
    if (isItChainError(error)) return undefined;
    throw error;
  }
}
