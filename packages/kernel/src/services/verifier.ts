import { Worker } from 'node:worker_threads';
import { failure, verifySignature, type SignatureCheck } from '@it-chain/contracts';
import { isWellFormed, packChecks } from './verify-batch.js';
import type { VerifyJob, VerifyVerdicts } from './verify-worker.js';

/** Limits of a {@link Verifier}. */
export interface VerifierOptions {
  /** Signatures that may wait for the worker at once. Default 65,536. */
  readonly maxQueued?: number;
  /** Batches below this size are verified on the spot: the hop to a thread costs more. Default 8. */
  readonly minBatch?: number;
}

/** Verifies Ed25519 signatures off the event loop. */
export interface Verifier {
  /**
   * One verdict per check, in order; a wrong length is simply not valid.
   * @throws ERR_PLUGIN_VERIFIER_FULL when more checks wait than the queue holds
   */
  verify(checks: readonly SignatureCheck[]): Promise<boolean[]>;
  /** Ends the thread; checks under way are finished on the spot. */
  close(): Promise<void>;
}

interface Waiting {
  readonly checks: readonly SignatureCheck[];
  readonly resolve: (verdicts: boolean[]) => void;
}

/** Makes a verifier of one worker thread, started with the first batch that is worth it. */
export function createVerifier({ maxQueued = 65_536, minBatch = 8 }: VerifierOptions = {}): Verifier {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let closed = false;
  let queued = 0;
  let nextId = 0;

  const settle = (id: number, verdicts: boolean[]): void => {
    const entry = waiting.get(id);
    if (entry === undefined) return;
    waiting.delete(id);
    queued -= entry.checks.length;
    if (waiting.size === 0) worker?.unref();
    entry.resolve(verdicts);
  };

  const finishHere = (): void => {
    for (const [id, { checks }] of [...waiting]) settle(id, checks.map(verifyHere));
  };

  const start = (): Worker => {
    const made = new Worker(new URL('./verify-worker.js', import.meta.url));
    made.on('message', ({ id, verdicts }: VerifyVerdicts) => {
      settle(
        id,
        Array.from(new Uint8Array(verdicts), (verdict) => verdict === 1),
      );
    });
    // A dead thread loses nothing: what it had is verified here, and the next batch starts another one.
    const gone = (): void => {
      if (worker === made) worker = undefined;
      finishHere();
    };
    made.on('error', gone);
    made.on('exit', gone);
    worker = made;
    return made;
  };

  const verifyOnThread = (checks: readonly SignatureCheck[]): Promise<boolean[]> =>
    new Promise((resolve) => {
      const id = nextId++;
      waiting.set(id, { checks, resolve });
      queued += checks.length;
      const packed = packChecks(checks);
      const job: VerifyJob = { id, packed, count: checks.length };
      const thread = worker ?? start();
      thread.ref();
      thread.postMessage(job, [packed]);
    });

  return {
    async verify(checks) {
      if (closed || checks.length < minBatch) return checks.map(verifyHere);
      if (queued + checks.length > maxQueued) {
        throw failure('ERR_PLUGIN_VERIFIER_FULL', `${queued} signatures wait already, ${checks.length} more came`, {
          retryable: true,
        });
      }
      if (checks.every(isWellFormed)) return verifyOnThread(checks);
      const verdicts = await verifyOnThread(checks.filter(isWellFormed));
      let next = 0;
      return checks.map((check) => isWellFormed(check) && verdicts[next++] === true);
    },
    async close() {
      closed = true;
      const running = worker;
      worker = undefined;
      await running?.terminate();
      finishHere();
    },
  };
}

function verifyHere(check: SignatureCheck): boolean {
  return verifySignature(check.publicKey, check.message, check.signature);
}
