import {
  encodeDraft,
  failure,
  toHex,
  transactionContent,
  withSignature,
  type BlockCommitted,
  type BlockProposed,
  type Call,
  type Infer,
  type LocatedTransaction,
  type Membership,
  type PoolEntries,
  type PoolEntry,
  type TransactionIds,
  type TransactionStatus,
} from '@it-chain/contracts';
import type { FeedEvent } from '../event-feed.js';
import { hintOf } from '../to-grpc-error.js';
import { WakeUp } from '../wake-up.js';
import type { HandlerContext, StreamHandlers, UnaryHandlers } from './handlers.js';
import { ifFounded, networkFacts, tipIfFounded } from './network-facts.js';
import { unlessCutOff } from './unless-cut-off.js';

type Located = Infer<typeof LocatedTransaction>;

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

  const signedByNode = async (
    body: { readonly application: Uint8Array } | { readonly membership: Membership },
    expiresAt: number,
    call: Call,
  ): Promise<TransactionStatus> => {
    const facts = await networkFacts(dependencies, call);
    if (facts === undefined)
      throw failure('ERR_NETWORK_UNFOUNDED', 'this node has neither a network nor a candidate yet');
    const { network, genesis } = facts;
    const last = expiresAt !== 0 ? expiresAt : ((await tipIfFounded(dependencies, call))?.height ?? 0) + genesis.window;
    const draft = encodeDraft(
      { network, nonce: context.random(8), expiresAt: last, ...body },
      context.identity.publicKey,
    );
    const signature = await context.sign('transaction', network, transactionContent(draft));
    const [status] = (await txpool.submit({ transactions: [withSignature(draft, signature)] }, call)).entries;
    return refuseExhausted([combine(status?.id ?? new Uint8Array(0), status, undefined)])[0] ?? unanswered();
  };

  return {
    submit: async ({ transactions }, call) => ({
      results: refuseExhausted(await submitBatch(dependencies, transactions, call)),
    }),
    signAndSubmit: ({ payload, expiresAt }, call) => signedByNode({ application: payload }, expiresAt, call),
    getTransaction: ({ id }, call) => find(id, call),
    proveTransaction: ({ id }, call) => chain.prove({ id }, call),
    leave: async (_request, call) => {
      if ((await tipIfFounded(dependencies, call)) === undefined) {
        throw failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network that it could leave');
      }
      const { id, status, code, reason } = await signedByNode({ membership: { leave: {} } }, 0, call);
      if (status === 'rejected') throw failure('ERR_TX_REFUSED', `the pool refused the transaction: ${code} ${reason}`);
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

/** What pool and chain say of one transaction, as one answer: the chain has the last word. */
export function combine(id: Uint8Array, entry: PoolEntry | undefined, located: Located | undefined): TransactionStatus {
  if (located?.location !== undefined) {
    const { height, index } = located.location;
    const { receipt } = located;
    return {
      id,
      status: 'committed',
      code: '',
      reason: receipt?.message ?? '',
      hint: '',
      height,
      index,
      ...(receipt === undefined ? {} : { receipt }),
    };
  }
  if (entry === undefined)
    return { id, status: 'unknown', code: '', reason: 'never seen here, or forgotten', hint: '' };
  const { state, code, reason } = entry;
  const words = state === 'unknown' && reason === '' ? 'never seen here, or forgotten' : reason;
  return { id, status: state, code, reason: words, hint: code === '' ? '' : hintOf(code) };
}

/** A batch of which nothing fits is an error of the call, so that a sender slows down without reading each result. */
function refuseExhausted(results: TransactionStatus[]): TransactionStatus[] {
  const [first] = results;
  if (first === undefined) return results;
  const full = results.every(({ status, code }) => status === 'rejected' && EXHAUSTED.has(code));
  if (!full) return results;
  const code = first.code === 'ERR_TXPOOL_SENDER_LIMIT' ? 'ERR_TXPOOL_SENDER_LIMIT' : 'ERR_TXPOOL_FULL';
  throw failure(code, first.reason === '' ? 'the pool takes no more' : first.reason, {
    retryable: true,
    data: { transaction: toHex(first.id) },
  });
}

const EXHAUSTED: ReadonlySet<string> = new Set(['ERR_TXPOOL_FULL', 'ERR_TXPOOL_SENDER_LIMIT']);

function unanswered(): never {
  throw failure('ERR_INTERNAL', 'the pool answered without a result');
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
