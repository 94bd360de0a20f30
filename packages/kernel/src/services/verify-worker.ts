import { parentPort } from 'node:worker_threads';
import { verifyPacked } from './verify-batch.js';

/** What the verifier sends to its worker. */
export interface VerifyJob {
  readonly id: number;
  readonly packed: ArrayBuffer;
  readonly count: number;
}

/** What the worker answers. */
export interface VerifyVerdicts {
  readonly id: number;
  readonly verdicts: ArrayBuffer;
}

parentPort?.on('message', ({ id, packed, count }: VerifyJob) => {
  const verdicts = verifyPacked(packed, count);
  const answer: VerifyVerdicts = { id, verdicts };
  parentPort?.postMessage(answer, [verdicts]);
});
