import {
  applyMembership,
  failure,
  sameBytes,
  stateRootOf,
  systemRootOf,
  toHex,
  type Application,
  type ApplicationTransaction,
  type ApplicationWrite,
  type BlockHeader,
  type DecodedTransaction,
  type Receipt,
} from '@it-chain/contracts';
import type { ChainState, NextRoots } from './chain-state.js';

/** The outcome of the dry run of a block. */
export interface Executed extends NextRoots {
  /** One per transaction, in the order of the block. */
  readonly receipts: readonly Receipt[];
  /** What the application changes in its keyspace. */
  readonly writes: readonly ApplicationWrite[];
}

/** Executes blocks without lasting effect: membership here, everything else in the application. */
export class BlockExecutor {
  readonly #application: Application;

  constructor(dependencies: { readonly application: Application }) {
    this.#application = dependencies.application;
  }

  /** @throws ERR_CHAIN_APPLICATION where the application breaks its promise of one receipt each, or changes its root without writes */
  async execute(
    state: ChainState,
    header: BlockHeader,
    transactions: readonly DecodedTransaction[],
  ): Promise<Executed> {
    const payloads: ApplicationTransaction[] = [];
    for (const { id, value } of transactions) {
      if (value.application !== undefined) payloads.push({ id, sender: value.sender, payload: value.application });
    }
    const answer = await this.#application.execute({
      height: header.height,
      time: header.time,
      transactions: payloads,
      previousRoot: state.tip.applicationRoot,
    });
    if (
      answer.receipts.length !== payloads.length ||
      !payloads.every(({ id }, index) => sameBytes(id, answer.receipts[index]?.id ?? new Uint8Array(0)))
    ) {
      throw failure(
        'ERR_CHAIN_APPLICATION',
        `the application answered ${answer.receipts.length} receipts for ${payloads.length} transactions, or in another order`,
      );
    }
    // Only writes change the state: a root that changes without any could not be found again after a restart.
    if (answer.writes.length === 0 && !sameBytes(answer.root, state.tip.applicationRoot)) {
      throw failure(
        'ERR_CHAIN_APPLICATION',
        `the application answered another root for block ${header.height} (${toHex(answer.root)}), but no writes that lead to it`,
      );
    }
    const { receipts, system } = mergeReceipts(state, header.height, transactions, answer.receipts);
    const systemRoot = systemRootOf(system);
    return {
      receipts,
      writes: answer.writes,
      system,
      systemRoot,
      applicationRoot: answer.root,
      stateRoot: stateRootOf(systemRoot, answer.root),
    };
  }
}

function mergeReceipts(
  { system: before, genesis, network }: ChainState,
  height: number,
  transactions: readonly DecodedTransaction[],
  answered: readonly Receipt[],
): { receipts: Receipt[]; system: ChainState['system'] } {
  const fromApplication = answered[Symbol.iterator]();
  let system = before;
  const receipts: Receipt[] = [];
  for (const { id, value } of transactions) {
    if (value.membership === undefined) {
      const next = fromApplication.next();
      if (next.done !== true) receipts.push(next.value);
      continue;
    }
    const change = { id, sender: value.sender, membership: value.membership };
    const outcome = applyMembership(system, change, { genesis, network, height });
    system = outcome.state;
    receipts.push({ id, code: outcome.code, output: new Uint8Array(0), message: outcome.message });
  }
  return { receipts, system };
}
