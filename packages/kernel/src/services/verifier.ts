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
  /** Batches up to this size are verified on the spot while the thread starts, which takes longer. Default 256. */
  readonly startBatch?: number;
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
export function createVerifier(options: VerifierOptions = {}): Verifier {
  return new ThreadVerifier(options);
}

class ThreadVerifier implements Verifier {
  readonly #maxQueued: number;
  readonly #minBatch: number;
  readonly #startBatch: number;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  /** The thread has loaded what it needs. */
  #isUp = false;
  #closed = false;
  #queued = 0;
  #nextId = 0;

  constructor({ maxQueued = 65_536, minBatch = 8, startBatch = 256 }: VerifierOptions) {
    this.#maxQueued = maxQueued;
    this.#minBatch = minBatch;
    this.#startBatch = startBatch;
  }

  async verify(checks: readonly SignatureCheck[]): Promise<boolean[]> {
    if (this.#closed || checks.length < this.#minBatch) return checks.map(verifyHere);
    if (!this.#isUp && checks.length <= this.#startBatch) {
      this.#worker ??= this.#start();
      return checks.map(verifyHere);
    }
    if (this.#queued + checks.length > this.#maxQueued) {
      throw failure('ERR_PLUGIN_VERIFIER_FULL', `${this.#queued} signatures wait already, ${checks.length} more came`, {
        retryable: true,
      });
    }
    if (checks.every(isWellFormed)) return this.#verifyOnThread(checks);
    const verdicts = await this.#verifyOnThread(checks.filter(isWellFormed));
    let next = 0;
    return checks.map((check) => isWellFormed(check) && verdicts[next++] === true);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const running = this.#worker;
    this.#worker = undefined;
    await running?.terminate();
    this.#finishHere();
  }

  #verifyOnThread(checks: readonly SignatureCheck[]): Promise<boolean[]> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { checks, resolve });
      this.#queued += checks.length;
      const packed = packChecks(checks);
      const job: VerifyJob = { id, packed, count: checks.length };
      const thread = this.#worker ?? this.#start();
      thread.ref();
      thread.postMessage(job, [packed]);
    });
  }

  #start(): Worker {
    const made = new Worker(new URL('./verify-worker.js', import.meta.url));
    made.on('message', ({ id, verdicts }: VerifyVerdicts) => {
      this.#isUp = true;
      this.#settle(
        id,
        Array.from(new Uint8Array(verdicts), (verdict) => verdict === 1),
      );
    });
    // A dead thread loses nothing: what it had is verified here, and the next batch starts another one.
    const gone = (): void => {
      if (this.#worker === made) [this.#worker, this.#isUp] = [undefined, false];
      this.#finishHere();
    };
    made.on('error', gone);
    made.on('exit', gone);
    this.#worker = made;
    made.unref();
    // An answer to this one says that it is up.
    const greeting: VerifyJob = { id: -1, packed: new ArrayBuffer(0), count: 0 };
    made.postMessage(greeting);
    return made;
  }

  #settle(id: number, verdicts: boolean[]): void {
    const entry = this.#waiting.get(id);
    if (entry === undefined) return;
    this.#waiting.delete(id);
    this.#queued -= entry.checks.length;
    if (this.#waiting.size === 0) this.#worker?.unref();
    entry.resolve(verdicts);
  }

  #finishHere(): void {
    for (const [id, { checks }] of [...this.#waiting]) this.#settle(id, checks.map(verifyHere));
  }
}

function verifyHere(check: SignatureCheck): boolean {
  return verifySignature(check.publicKey, check.message, check.signature);
}
