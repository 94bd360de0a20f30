import { bool, bytes, choice, message, nested, repeated, string, uint32, uint64, type Infer } from '../schema/index.js';
import { command, defineRole, event, query, type Served } from '../plugin/role.js';
import { TransactionBatch } from '../data/transaction.js';
import { Nothing } from './common.js';

/** Where a transaction stands. `unknown`: never seen here, or forgotten. */
export const TRANSACTION_STATES = ['unknown', 'pending', 'proposed', 'committed', 'rejected'] as const;
/** One of {@link TRANSACTION_STATES}. */
export type TransactionState = (typeof TRANSACTION_STATES)[number];

/** What the pool says of one transaction. */
export const PoolEntry = message('PoolEntry', {
  id: bytes(1, { maxLength: 32 }),
  state: choice(2, 'TransactionState', TRANSACTION_STATES),
  /** Code of the rejection, or empty. */
  code: string(3, { maxLength: 64 }),
  /** Why it waits or was rejected, in words: `no leader yet`. */
  reason: string(4, { maxLength: 1_024 }),
});
export type PoolEntry = Infer<typeof PoolEntry>;
/** One entry per transaction, in the order of the request. */
export const PoolEntries = message('PoolEntries', { entries: repeated(nested(1, PoolEntry)) });
/** Ids of transactions: the SHA-256 of each, 32 bytes. */
export const TransactionIds = message('TransactionIds', { ids: repeated(bytes(1, { length: 32 })) });

/** How much the next block has room for: transactions, and bytes of them encoded. */
export const TakeRequest = message('TakeRequest', {
  maxCount: uint32(1),
  maxBytes: uint32(2),
  /** Height of the block to be built: expired ones are left out. */ height: uint64(3),
});
/** The transactions that were asked for by id, as far as the pool has them. */
export const HaveAnswer = message('HaveAnswer', {
  /** The encoded transaction where the pool has it (and has verified its signature), else empty; in the order of the request. */
  transactions: repeated(bytes(1)),
});
/** How full the pool is, against its limits. */
export const PoolStatus = message('PoolStatus', {
  count: uint32(1),
  bytes: uint64(2),
  maxCount: uint32(3),
  maxBytes: uint64(4),
  /** When the oldest waiting transaction came, in ms since the epoch; 0 where none waits. */
  oldest: uint64(5),
  full: bool(6),
});
export type PoolStatus = Infer<typeof PoolStatus>;

/** Pending transactions. */
export const TxPool = defineRole('txpool', 1, {
  doc: 'Holds pending transactions until a block commits them.',
  promises: [
    'X1: what is answered as pending is on disk',
    'X2: take gives transactions round-robin by sender, and first-in first-out within one sender',
    'X3: a known id is answered with its state and changes nothing',
    'X4: a transaction with a wrong signature, for another network, expired, too large or over a limit is rejected with its code',
    'X5: a transaction leaves the pool only by the block that commits it, by its expiry, or by a change of network',
    'X6: take removes nothing; what a failed block held can be taken again',
    'X7: after a restart the same transactions wait in the same order, without those that were committed',
    'X8: pooled transactions reach every connected member',
  ],
  calls: {
    submit: command({
      name: 'transaction.submit',
      doc: 'Takes transactions in; answered when they are on disk.',
      in: TransactionBatch,
      out: PoolEntries,
    }),
    get: query({
      name: 'transaction.get',
      doc: 'Where transactions stand, as far as the pool knows.',
      in: TransactionIds,
      out: PoolEntries,
    }),
    take: query({
      name: 'transaction.take',
      doc: 'Transactions for the next block.',
      in: TakeRequest,
      out: TransactionBatch,
    }),
    have: query({
      name: 'transaction.have',
      doc: 'The transactions of these ids that the pool holds verified.',
      in: TransactionIds,
      out: HaveAnswer,
    }),
    status: query({ name: 'pool.status', doc: 'How full the pool is.', in: Nothing, out: PoolStatus }),
  },
  events: {
    accepted: event({ name: 'transaction.accepted', doc: 'Transactions came into the pool.', body: TransactionIds }),
    rejected: event({
      name: 'transaction.rejected',
      doc: 'Transactions that had been accepted were rejected later: expired, or of another network.',
      body: PoolEntries,
    }),
  },
});
export type TxPool = Served<typeof TxPool>;
