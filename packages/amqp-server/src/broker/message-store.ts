import { type Message } from './message.js';

/** One message in one queue. Its position never changes, so that a requeued message returns to its place. */
export interface QueueEntry {
  readonly message: Message;
  readonly position: number;
  readonly priority: number;
  /** Time on the clock of `performance.now()` when the message expires; 0 for never. */
  readonly expiresAt: number;
  redelivered: boolean;
  /** How often it came back unacknowledged. */
  returns: number;
}

const MIN_CAPACITY = 16;

/** A double-ended queue in a ring, ordered by position. */
export class EntryDeque {
  #ring: (QueueEntry | undefined)[] = new Array<QueueEntry | undefined>(MIN_CAPACITY);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  peek(): QueueEntry | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  push(entry: QueueEntry): void {
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2);
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = entry;
    this.#length++;
  }

  shift(): QueueEntry | undefined {
    if (this.#length === 0) return undefined;
    const entry = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length--;
    if (this.#length * 8 < this.#ring.length && this.#ring.length > 1024) this.#resize(this.#ring.length / 4);
    return entry;
  }

  /** Puts entries back where their positions belong. Only the part before the last of them is touched. */
  putBack(entries: readonly QueueEntry[]): void {
    const returned = [...entries].sort((a, b) => a.position - b.position);
    const last = returned.at(-1)?.position ?? -1;
    const before: QueueEntry[] = [];
    for (let head = this.peek(); head !== undefined && head.position < last; head = this.peek()) {
      before.push(head);
      this.shift();
    }
    for (const entry of merge(before, returned).reverse()) this.#unshift(entry);
  }

  #unshift(entry: QueueEntry): void {
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2);
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = entry;
    this.#length++;
  }

  #resize(capacity: number): void {
    const ring = new Array<QueueEntry | undefined>(capacity);
    for (let i = 0; i < this.#length; i++) ring[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}

function merge(a: readonly QueueEntry[], b: readonly QueueEntry[]): QueueEntry[] {
  const merged: QueueEntry[] = [];
  let j = 0;
  for (const entry of a) {
    for (let other = b[j]; other !== undefined && other.position < entry.position; other = b[++j]) merged.push(other);
    merged.push(entry);
  }
  return merged.concat(b.slice(j));
}

/** The ready messages of a queue: one deque, or one for each priority of a queue with x-max-priority. */
export class MessageStore {
  /** Highest priority first. */
  readonly #levels: readonly EntryDeque[];
  readonly #highest: number;
  length = 0;
  /** Sum of the body sizes, which is what x-max-length-bytes limits. */
  bytes = 0;

  constructor(maxPriority = 0) {
    this.#highest = maxPriority;
    this.#levels = Array.from({ length: maxPriority + 1 }, () => new EntryDeque());
  }

  #level(priority: number): EntryDeque {
    const level = this.#levels[this.#highest - Math.min(priority, this.#highest)];
    if (level === undefined) throw new RangeError(`no priority level ${priority}`);
    return level;
  }

  push(entry: QueueEntry): void {
    this.#level(entry.priority).push(entry);
    this.length++;
    this.bytes += entry.message.bodySize;
  }

  peek(): QueueEntry | undefined {
    for (const level of this.#levels) if (level.length > 0) return level.peek();
    return undefined;
  }

  shift(): QueueEntry | undefined {
    for (const level of this.#levels) {
      const entry = level.shift();
      if (entry === undefined) continue;
      this.length--;
      this.bytes -= entry.message.bodySize;
      return entry;
    }
    return undefined;
  }

  /** Removes the message that a full queue gives up: the oldest of the lowest priority. */
  dropOldest(): QueueEntry | undefined {
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      const entry = this.#levels[i]?.shift();
      if (entry === undefined) continue;
      this.length--;
      this.bytes -= entry.message.bodySize;
      return entry;
    }
    return undefined;
  }

  putBack(entries: readonly QueueEntry[]): void {
    const priorities = new Set(entries.map((entry) => Math.min(entry.priority, this.#highest)));
    for (const priority of priorities) {
      this.#level(priority).putBack(entries.filter((entry) => Math.min(entry.priority, this.#highest) === priority));
    }
    this.length += entries.length;
    for (const entry of entries) this.bytes += entry.message.bodySize;
  }
}
