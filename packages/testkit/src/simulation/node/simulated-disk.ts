import {
  failure,
  type Infer,
  type RangeAnswer,
  type RangeRequest,
  type ReadAnswer,
  type ReadRequest,
  type Storage,
  type VerifyStoreAnswer,
  type WriteAnswer,
  type WriteRequest,
} from '@it-chain/contracts';
import { MemoryStorage } from '../../doubles/memory-storage.js';
import { NO_DISK_FAULTS, type DiskFaults } from '../process.js';
import type { Random } from '../random.js';

interface UnsyncedBatch {
  /** What the keys held before, to take the batch back. */
  readonly undo: WriteRequest['writes'];
}

/** The part of a clock that a disk needs: one life of its node. */
export interface DiskTime {
  after(ms: number, run: () => void): unknown;
}

/**
 * The disk of one node. Batches are whole or gone; a synced one, and all before it, survives everything, and of the
 * others a crash keeps a part from the front, as a log-structured store does. What is damaged at the tail is gone with
 * its batch.
 */
export class SimulatedDisk {
  readonly memory = new MemoryStorage();
  faults: DiskFaults = NO_DISK_FAULTS;
  /** Reads that will fail. */
  failingReads = 0;
  /** Told of each batch that is written. */
  onWritten: (request: WriteRequest) => void = () => undefined;
  readonly #random: Random;
  #unsynced: UnsyncedBatch[] = [];
  #inFlight: WriteRequest[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Batches that a crash may take back. */
  get unsynced(): number {
    return this.#unsynced.length;
  }

  /** The storage role on this disk, for one life of the node. `fatal` is told of an error that does not pass. */
  serve(time: DiskTime): Storage {
    const later = <T>(run: () => T | Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        time.after(this.#random.next() * this.faults.maxMs, () => {
          try {
            resolve(run());
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
      });
    return {
      read: (request: Infer<typeof ReadRequest>): Promise<Infer<typeof ReadAnswer>> =>
        later(() => this.#reading(() => this.memory.read(request))),
      range: (request: Infer<typeof RangeRequest>): Promise<Infer<typeof RangeAnswer>> =>
        later(() => this.#reading(() => this.memory.range(request))),
      write: (request: WriteRequest): Promise<Infer<typeof WriteAnswer>> => {
        this.#requireWritable();
        this.#inFlight.push(request);
        return later(() => {
          this.#inFlight = this.#inFlight.filter((one) => one !== request);
          return { repeated: this.#apply(request) };
        });
      },
      verify: (): Promise<Infer<typeof VerifyStoreAnswer>> => this.memory.verify(),
    } as Storage;
  }

  #reading<T>(read: () => T): T {
    if (this.failingReads > 0) {
      this.failingReads -= 1;
      throw failure('ERR_BUS_TIMEOUT', 'the simulated disk cannot be read now', { retryable: true });
    }
    return read();
  }

  #requireWritable(): void {
    const { fatal, transient } = this.faults;
    if (fatal > 0 && this.#random.chance(fatal)) throw failure('ERR_STORAGE_IO', 'the simulated disk is lost');
    if (transient > 0 && this.#random.chance(transient)) {
      throw failure('ERR_BUS_TIMEOUT', 'the simulated disk cannot be written now', { retryable: true });
    }
  }

  #apply(request: WriteRequest): boolean {
    const undo = request.writes.map(({ namespace, key }) => ({
      namespace,
      key,
      value: this.memory.peek(namespace, key),
    }));
    const repeated = this.memory.apply(request);
    if (request.sync) this.#unsynced = [];
    else if (!repeated) this.#unsynced.push({ undo });
    this.onWritten(request);
    return repeated;
  }

  /** The power fails: of what is not synced, a part from the front is kept. */
  crash(): void {
    const { length } = this.#unsynced;
    const total = length + this.#inFlight.length;
    const kept = this.#random.below(total + 1);
    for (const request of this.#inFlight.slice(0, Math.max(0, kept - length))) {
      try {
        this.#apply(request);
      } catch {
        // Its condition no longer holds: it would have been refused.
      }
    }
    if (kept < length) {
      for (const { undo } of this.#unsynced.slice(kept).reverse()) {
        this.memory.apply({ writes: undo, when: [], sync: true, writer: '', sequence: 0 });
      }
    }
    this.#unsynced = [];
    this.#inFlight = [];
  }
}
