import { Session } from 'node:inspector';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

/** Characters of source that ran, 1 where one did, by the address of the file. */
export type Ran = ReadonlyMap<string, Uint8Array>;

/**
 * What V8 itself says has run, block by block. It must be started before the code that is looked at is loaded: blocks of
 * functions that were compiled earlier are not counted.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #files: RegExp;

  /** @param files which addresses of files are looked at */
  constructor(files: RegExp) {
    this.#files = files;
  }

  async start(): Promise<void> {
    this.#session.connect();
    await this.#post('Profiler.enable');
    await this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What has run since the last look. */
  async take(): Promise<Ran> {
    const { result } = await this.#post<{ result: readonly Script[] }>('Profiler.takePreciseCoverage');
    const ran = new Map<string, Uint8Array>();
    for (const { url, functions } of result) {
      if (this.#files.test(url)) ran.set(url, paint(functions.flatMap(({ ranges }) => ranges)));
    }
    return ran;
  }

  async stop(): Promise<void> {
    await this.#post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  #post<T>(method: string, parameters: object = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, parameters, (error, result) => {
        if (error === null) resolve(result as T);
        else reject(error);
      });
    });
  }
}

/**
 * Ranges as characters. V8 leaves out a block that ran as often as what is around it, so which ranges it tells depends on
 * everything that ran; which characters they leave covered does not. Outer ranges come before inner ones.
 */
function paint(ranges: readonly Range[]): Uint8Array {
  const length = ranges.reduce((most, { endOffset }) => Math.max(most, endOffset), 0);
  const characters = new Uint8Array(length);
  for (const { startOffset, endOffset, count } of ranges) characters.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return characters;
}

/** Everything that ran so far. */
export class Seen {
  readonly #files = new Map<string, Uint8Array>();
  #size = 0;

  /** How many characters of source ran. */
  get size(): number {
    return this.#size;
  }

  /** How many of these characters had not run before. */
  fresh(ran: Ran): number {
    let fresh = 0;
    for (const [url, characters] of ran) {
      const known = this.#files.get(url);
      for (let at = 0; at < characters.length; at += 1) {
        if (characters[at] === 1 && known?.[at] !== 1) fresh += 1;
      }
    }
    return fresh;
  }

  /** Adds what ran. @returns how many characters of it had not run before */
  add(ran: Ran): number {
    let fresh = 0;
    for (const [url, characters] of ran) {
      const known = this.#grown(url, characters.length);
      for (let at = 0; at < characters.length; at += 1) {
        if (characters[at] !== 1 || known[at] === 1) continue;
        known[at] = 1;
        fresh += 1;
      }
    }
    this.#size += fresh;
    return fresh;
  }

  #grown(url: string, length: number): Uint8Array {
    const known = this.#files.get(url);
    if (known !== undefined && known.length >= length) return known;
    const longer = new Uint8Array(length);
    longer.set(known ?? []);
    this.#files.set(url, longer);
    return longer;
  }
}
