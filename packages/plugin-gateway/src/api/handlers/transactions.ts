import {
  toHex,
  type BlockCommitted,
  type BlockProposed,
  type Call,
  type Infer,
  type PoolEntries,
  type TransactionIds,
  type TransactionStatus,
} from '@it-chain/contracts';
import type { FeedEvent } from '../event-feed.js';
import { WakeUp } from '../wake-up.js';
import type { HandlerContext, StreamHandlers, UnaryHandlers } from './handlers.js';
import { ifFounded } from './network-facts.js';
import { submitMembership, submitSigned } from './sign-and-submit.js';
import { combine, refuseExhausted } from './transaction-status.js';
import { unlessCutOff } from './unless-cut-off.js';

/** Transactions: in, where they stand, and their proof. */
export function transactionHandlers({
  options,
  dependencies,
}: HandlerContext): Pick<UnaryHandlers, 'submit' | 'signAndSubmit' | 'getTransaction' | 'proveTransaction' | 'leave'> &
  Pick<StreamHandlers, 'watchTransaction'> {
  const { chain, txpool, context } = dependencies;

  const find = async (id: Uint8Array, call: Call): Promise<TransactionStatus> => {
    // The pool first: what a commit takes from it between the two questions, the chain then has.
    const { entries } = await txpool.get({ ids: [id] }, call);
    const located = await ifFounded(() => chain.locate({ ids: [id] }, call));
    return combine(id, entries[0], located?.transactions[0]);
  };

  return {
    submit: async ({ transactions }, call) => ({
      results: refuseExhausted(await submitBatch(dependencies, transactions, call)),
    }),
    signAndSubmit: ({ payload, expiresAt }, call) =>
      submitSigned(dependencies, { application: payload }, expiresAt, call),
    getTransaction: ({ id }, call) => find(id, call),
    proveTransaction: ({ id }, call) => chain.prove({ id }, call),
    leave: async (_request, call) => {
      const { id } = await submitMembership(dependencies, { leave: {} }, call);
      return { transaction: id };
    },
    watchTransaction: async ({ id }, sink) => {
      const wakeUp = new WakeUp((event) => concerns(event, toHex(id)), {
        events: dependencies.events,
        clock: context.clock,
      });
      let last = '';
      try {
        while (!sink.signal.aborted) {
          const now = await unlessCutOff(() => find(id, { signal: sink.signal }));
          if (now !== undefined) {
            const seen = JSON.stringify([now.status, now.code, now.reason, now.height]);
            if (seen !== last) await sink.write(now);
            last = seen;
            if (now.status === 'committed' || now.status === 'rejected') return;
          }
          await wakeUp.wait(options.pollMs, sink.signal);
        }
      } finally {
        wakeUp.close();
      }
    },
  };
}

/** Hands a batch to the pool; answered when it is durable. One status per transaction, in order. */
export async function submitBatch(
  { txpool }: Pick<HandlerContext['dependencies'], 'txpool'>,
  transactions: readonly Uint8Array[],
  call: Call,
): Promise<TransactionStatus[]> {
  if (transactions.length === 0) return [];
  const { entries } = await txpool.submit({ transactions }, call);
  return entries.map((entry) => combine(entry.id, entry, undefined));
}

/** True for an event after which the state of this transaction may be another. */
function concerns({ name, body }: FeedEvent, id: string): boolean {
  switch (name) {
    case 'block.committed':
      return has((body as BlockCommitted).transactions, id);
    case 'block.proposed':
      return has((body as Infer<typeof BlockProposed>).ids, id);
    case 'transaction.accepted':
      return has((body as Infer<typeof TransactionIds>).ids, id);
    case 'transaction.rejected':
      return has(
        (body as Infer<typeof PoolEntries>).entries.map((entry) => entry.id),
        id,
      );
    case 'network.founded':
    case 'leader.updated':
      return true;
    default:
      return false;
  }
}

const has = (ids: readonly Uint8Array[], id: string): boolean => ids.some((one) => toHex(one) === id);
