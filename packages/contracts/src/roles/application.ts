import {
  bool,
  bytes,
  message,
  nested,
  optional,
  repeated,
  string,
  uint32,
  uint64,
  type Infer,
} from '../schema/index.js';
import { defineRole, optionalCall, query, type Served } from '../plugin/role.js';
import { Receipt } from '../data/transaction.js';
import { Nothing } from './common.js';

/** A transaction as the application sees it. */
export const ApplicationTransaction = message('ApplicationTransaction', {
  id: bytes(1, { length: 32 }),
  /** Public key of the sender. */
  sender: bytes(2, { length: 32 }),
  payload: bytes(3),
});
export type ApplicationTransaction = Infer<typeof ApplicationTransaction>;

/** What the application calls itself, and where its state begins. */
export const ApplicationInfo = message('ApplicationInfo', {
  /** Name and major version, as in the genesis: `kv/1`. */
  name: string(1, { maxLength: 64 }),
  /** State root of the empty state, 32 bytes. */
  emptyRoot: bytes(2, { length: 32 }),
});
/** Transactions that ask to enter the pool. */
export const ApplicationCheck = message('ApplicationCheck', {
  transactions: repeated(nested(1, ApplicationTransaction)),
});
/** Whether one transaction may enter the pool; where not, the code and a sentence. */
export const ApplicationVerdict = message('ApplicationVerdict', {
  ok: bool(1),
  code: string(2, { maxLength: 64 }),
  reason: string(3, { maxLength: 1_024 }),
});
/** In the order of the request. */
export const ApplicationVerdicts = message('ApplicationVerdicts', {
  verdicts: repeated(nested(1, ApplicationVerdict)),
});

/** A block to be executed dry, on the state of a root. */
export const ExecuteRequest = message('ExecuteRequest', {
  height: uint64(1),
  /** Header time, ms since the epoch. The only clock an application may use. */
  time: uint64(2),
  transactions: repeated(nested(3, ApplicationTransaction)),
  /** Application root of the block before: the state to start from. */
  previousRoot: bytes(4, { length: 32 }),
});
/** A change in the keyspace `app`: `value` absent deletes. */
export const ApplicationWrite = message('ApplicationWrite', {
  key: bytes(1, { maxLength: 1_024 }),
  value: optional(bytes(2)),
});
export type ApplicationWrite = Infer<typeof ApplicationWrite>;
/** What a block comes to: receipts, the new root and the writes that make it last. */
export const ExecuteAnswer = message('ExecuteAnswer', {
  /** One per transaction, in order. */
  receipts: repeated(nested(1, Receipt)),
  /** Application root after the block, 32 bytes. */
  root: bytes(2, { length: 32 }),
  /** What chain writes into `app` in the batch that commits the block. */
  writes: repeated(nested(3, ApplicationWrite), { maxItems: 4_000_000 }),
});
export type ExecuteAnswer = Infer<typeof ExecuteAnswer>;
/** A question about the committed state. */
export const QueryRequest = message('QueryRequest', {
  /** What is asked, in the application's words: `get`. */
  path: string(1, { maxLength: 256 }),
  data: bytes(2),
  prove: bool(3),
  /** Application root to answer at: the tip's. */
  root: bytes(4, { length: 32 }),
});
/** An answer at the root that was asked for, with a proof where one was wanted. `code` is the application's own; 0 = answered. */
export const QueryAnswer = message('QueryAnswer', {
  found: bool(1),
  data: bytes(2),
  /** In the application's own form; checked against the application root. */
  proof: bytes(3),
  code: uint32(4),
});
export type QueryAnswer = Infer<typeof QueryAnswer>;

/** Asks for the next part of the state at a root. */
export const StatePageRequest = message('StatePageRequest', {
  /** Application root to read at: the tip's. */
  root: bytes(1, { length: 32 }),
  /** Where to go on, as the page before said; empty for the first page. */
  cursor: bytes(2, { maxLength: 2_048 }),
  /** About how large the page may be. */
  maxBytes: uint32(3),
});
/** A part of the state, and where to go on. */
export const StatePage = message('StatePage', {
  /** Part of the state, in the application's own form. */
  page: bytes(1),
  /** Absent behind the last page. */
  next: optional(bytes(2, { maxLength: 2_048 })),
});
/** A page of a snapshot to be taken in dry, after the pages before it. */
export const RestoreRequest = message('RestoreRequest', {
  /** Height of the state. */
  height: uint64(1),
  /** Application root before this page: of the empty state, then what the page before came to. */
  previousRoot: bytes(2, { length: 32 }),
  page: bytes(3),
});
/** What the pages so far come to, and the writes that make this one last. */
export const RestoreAnswer = message('RestoreAnswer', {
  /** Application root after this page; after the last one that of the whole state. */
  root: bytes(1, { length: 32 }),
  /** What chain writes into `app`. */
  writes: repeated(nested(2, ApplicationWrite), { maxItems: 4_000_000 }),
});

/** The state machine that blocks are executed on. */
export const Application = defineRole('application', 1, {
  doc: 'A deterministic state machine. It keeps no lasting state of its own: chain writes what execute answers.',
  promises: [
    'A1: execute is a function of the previous root and the transactions: same input, same receipts, root and writes',
    'A2: execute has no lasting effect; only the writes, once committed, change the state',
    'A3: every transaction gets exactly one receipt, in order; a refused one changes nothing',
    'A4: no payload makes execute fail: what it cannot read it refuses with a code',
    'A5: a query answers at the root it is asked at, and its proof leads to that root',
    'A6: after a restart it goes on from its keyspace',
    'A7: where it has snapshots, the pages of a state restored one after the other come to the root of that state, and other pages to another root or an error',
  ],
  calls: {
    info: query({
      name: 'application.info',
      doc: 'Name, version and the root of the empty state.',
      in: Nothing,
      out: ApplicationInfo,
    }),
    check: query({
      name: 'application.check',
      doc: 'May these transactions enter the pool? Cheap, without state where possible.',
      in: ApplicationCheck,
      out: ApplicationVerdicts,
    }),
    execute: query({
      name: 'application.execute',
      doc: 'Executes a block dry.',
      in: ExecuteRequest,
      out: ExecuteAnswer,
      timeoutMs: 30_000,
    }),
    query: query({
      name: 'application.query',
      doc: 'Answers a question about the committed state.',
      in: QueryRequest,
      out: QueryAnswer,
    }),
    snapshot: optionalCall(
      query({
        name: 'application.snapshot',
        doc: 'A page of the committed state, for nodes that join without replaying blocks.',
        in: StatePageRequest,
        out: StatePage,
        timeoutMs: 30_000,
      }),
    ),
    restore: optionalCall(
      query({
        name: 'application.restore',
        doc: 'Takes in a page of a state dry, beginning with the empty state.',
        in: RestoreRequest,
        out: RestoreAnswer,
        timeoutMs: 30_000,
      }),
    ),
  },
  events: {},
});
export type Application = Served<typeof Application>;
