import { Session } from 'node:inspector';

/** A range of source that ran at least once: file, function and offsets. */
type Place = string;

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
interface Script {
  readonly url: string;
  readonly functions: readonly { readonly functionName: string; readonly ranges: readonly Range[] }[];
}

/** What V8 itself says has run, block by block, in the built files of this repository. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<Place>();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#post('Profiler.enable');
    await this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many places have run so far. */
  get size(): number {
    return this.#seen.size;
  }

  /** What has run since the last look for the first time ever. */
  async take(): Promise<readonly Place[]> {
    const fresh = (await this.#places()).filter((place) => !this.#seen.has(place));
    for (const place of fresh) this.#seen.add(place);
    return fresh;
  }

  /** Which of these places have run since the last look. */
  async among(places: ReadonlySet<Place>): Promise<readonly Place[]> {
    return (await this.#places()).filter((place) => places.has(place));
  }

  async stop(): Promise<void> {
    await this.#post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  async #places(): Promise<Place[]> {
    const { result } = await this.#post<{ result: readonly Script[] }>('Profiler.takePreciseCoverage');
    const places: Place[] = [];
    for (const { url, functions } of result) {
      if (!/\/packages\/[^/]+\/dist\//.test(url)) continue;
      for (const { functionName, ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          // How often matters by its order of magnitude only: a loop that runs much longer is new.
          if (count > 0) places.push(`${url} ${functionName} ${startOffset}-${endOffset} ${magnitude(count)}`);
        }
      }
    }
    return places;
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

const magnitude = (count: number): number => Math.floor(Math.log2(count) / 6);
