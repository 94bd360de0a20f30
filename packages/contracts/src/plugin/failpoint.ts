/**
 * The named places where a test can end the process as kill -9 would: one before and one after each step that makes a
 * vote, a block or an answer durable. Outside tests a pass through one is a call of an empty function.
 */
export const FAILPOINTS = {
  'pool.before-store': 'a transaction was verified and is not in the store of the pool',
  'pool.after-store': 'a transaction is in the store of the pool and its sender has no answer',
  'block.before-body': 'a block was built or checked and its body is not stored',
  'block.after-body': 'the body of a block is stored and nobody was told',
  'vote.before-sign': 'consensus wants to vote and the guard was not asked',
  'guard.before-write': 'the guard allows a vote and has not written it',
  'guard.before-sync': 'the guard has written a vote and not synced it',
  'guard.after-sync': 'the guard has the vote on disk and the signature was not given out',
  'vote.after-sign': 'a vote is signed and not in the consensus log',
  'vote.after-log': 'a vote is in the consensus log and was not sent',
  'vote.after-send': 'a vote was sent and its sender has not counted it',
  'decide.before-commit': 'a quorum has decided a block and chain was not asked to commit it',
  'commit.before-batch': 'a decided block was executed and its batch not written',
  'store.in-batch': 'a conditional batch, as that of a commit, was handed to LevelDB and has no answer',
  'commit.after-batch': 'a block is committed in the store and not in memory; no event was told',
  'commit.after-event': 'the event of a committed block was handed over and its caller has no answer',
} as const;

/** The name of a {@link FAILPOINTS failpoint}. */
export type FailpointName = keyof typeof FAILPOINTS;

/** Passes a failpoint; where a test has armed it, the process ends here. */
export type Failpoint = (name: FailpointName) => void;

/** The failpoints of a process that is no test. */
export const noFailpoint: Failpoint = () => undefined;
