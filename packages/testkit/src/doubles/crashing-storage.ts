import { MemoryStorage } from './memory-storage.js';

type WriteRequest = Parameters<MemoryStorage['write']>[0];

/** A store that forgets at a power cut what no synced write followed, and whose process can be killed at any write. */
export class CrashingStorage extends MemoryStorage {
  readonly #history: WriteRequest[] = [];
  #synced = 0;
  #left = Infinity;
  #done = false;
  #dead = false;

  /** True after the write that {@link dieAfter} chose: nothing is answered any more. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Dies at the write that follows `writes` more: before it is done or, with `done`, after it and before its answer. */
  dieAfter(writes: number, done: boolean): void {
    this.#left = writes;
    this.#done = done;
  }

  /** Lives again, with what was written, and does not die by itself. */
  revive(): void {
    this.#dead = false;
    this.#left = Infinity;
  }

  override async write(request: WriteRequest): ReturnType<MemoryStorage['write']> {
    this.#live();
    this.#left -= 1;
    if (this.#left >= 0) return this.#keep(request);
    if (this.#done) await this.#keep(request);
    this.#dead = true;
    throw new Error('the process was killed');
  }

  override async read(request: Parameters<MemoryStorage['read']>[0]): ReturnType<MemoryStorage['read']> {
    this.#live();
    return super.read(request);
  }

  override async range(request: Parameters<MemoryStorage['range']>[0]): ReturnType<MemoryStorage['range']> {
    this.#live();
    return super.range(request);
  }

  /** What is there after a power cut at this moment. */
  afterPowerCut(): CrashingStorage {
    const left = new CrashingStorage();
    for (const request of this.#history.slice(0, this.#synced)) left.#replay(request);
    return left;
  }

  async #keep(request: WriteRequest): ReturnType<MemoryStorage['write']> {
    const answer = await super.write(request);
    this.#note(request);
    return answer;
  }

  #replay(request: WriteRequest): void {
    this.apply({ ...request, when: [], writer: '' });
    this.#note(request);
  }

  #note(request: WriteRequest): void {
    this.#history.push(request);
    if (request.sync) this.#synced = this.#history.length;
  }

  #live(): void {
    if (this.#dead) throw new Error('the process is dead');
  }
}
