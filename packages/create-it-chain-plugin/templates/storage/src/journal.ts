import { failure, sha256, toHex, utf8, type KeyChange, type KeyRange, type OrderedMap } from '@it-chain/contracts';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** A key and its value in hex, which sorts as bytes do; without a value where the key was taken out. */
type Change = [key: string, value?: string];
const damaged = (what: string) => failure('ERR_STORAGE_DAMAGED', `${what}; restore it from a backup`);
const withChecksum = (body: string) => `${toHex(sha256(utf8(body)))} ${body}`;

function readLine(line: string, index: number): Change[] {
  const body = line.slice(line.indexOf(' ') + 1);
  if (withChecksum(body) !== line) throw damaged(`line ${index + 1} of the journal is damaged`);
  return JSON.parse(body);
}

/** A map in memory, and every batch of changes as a line with its checksum in a journal, which is read at the start. */
export class Journal implements OrderedMap {
  readonly #values = new Map<string, Uint8Array>();

  private constructor(readonly handle: FileHandle) {}

  /** `made` is a file elsewhere: where it is and the journal is not, the journal was lost. */
  static async open(file: string, made: string): Promise<Journal> {
    if (!existsSync(file) && existsSync(made)) throw damaged(`the journal ${file} is gone`);
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    // A power cut may have cut off the last line; it was never answered.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const batches = whole.split('\n').slice(0, -1).map(readLine);
    const journal = new Journal(await open(file, 'a'));
    await journal.handle.truncate(whole.length);
    for (const changes of batches) journal.#apply(changes);
    writeFileSync(made, '');
    return journal;
  }

  get = (key: Uint8Array) => this.#values.get(toHex(key));
  close = () => this.handle.close();

  entries({ from, to, reverse }: KeyRange) {
    const [first, end] = [toHex(from), toHex(to)];
    const inside = [...this.#values].filter(([key]) => key >= first && key < end);
    inside.sort(([a], [b]) => (a < b ? -1 : 1));
    return (reverse ? inside.reverse() : inside).map(([key, value]) => [Buffer.from(key, 'hex'), value] as const);
  }

  async write(changes: readonly KeyChange[], sync: boolean) {
    const inHex = changes.map(({ key, value }): Change => (value ? [toHex(key), toHex(value)] : [toHex(key)]));
    await this.handle.appendFile(`${withChecksum(JSON.stringify(inHex))}\n`);
    if (sync) await this.handle.datasync();
    this.#apply(inHex);
  }

  #apply(changes: readonly Change[]) {
    for (const [key, value] of changes) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, Buffer.from(value, 'hex'));
    }
  }
}
