import { WriteRequest, failure, sameBytes, sha256, toHex, type Storage } from '@it-chain/contracts';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

type Asked<C extends keyof Storage> = Parameters<Required<Storage>[C]>[0];
type Answer<C extends keyof Storage> = ReturnType<Required<Storage>[C]>;

/** `app/6b6579`: sorts as the bytes of the key do. */
const nameOf = (namespace: string, key: Uint8Array): string => `${namespace}/${toHex(key)}`;
const damaged = (what: string) => failure('ERR_STORAGE_DAMAGED', what);

/** Everything in memory, and every batch as a line with its checksum in a journal, which is read at the start. */
export class JournalStorage implements Storage {
  onFailure: (error: unknown) => void = () => {};
  readonly #values = new Map<string, Uint8Array>();
  readonly #sequences = new Map<string, number>();
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly file: string,
    readonly journal: FileHandle,
    readonly options: { readonly sync: boolean },
  ) {}

  /** `made` is a file beside the store: where it is and the journal is not, the journal was lost. */
  static async open(file: string, made: string, options: { readonly sync: boolean }): Promise<JournalStorage> {
    if (!existsSync(file) && existsSync(made)) throw damaged(`the journal ${file} is gone`);
    const store = new JournalStorage(file, await open(file, 'a'), options);
    for (const request of store.#lines()) store.#apply(request);
    // A power cut may have cut off the last line; it was never answered.
    await store.journal.truncate(readFileSync(file).lastIndexOf(10) + 1);
    writeFileSync(made, '');
    return store;
  }

  async read({ namespace, keys }: Asked<'read'>): Answer<'read'> {
    return { values: keys.map((key) => ({ value: this.#values.get(nameOf(namespace, key)) })) };
  }

  async range({ namespace, from, to, limit, maxBytes, reverse }: Asked<'range'>): Answer<'range'> {
    const [first, end] = [nameOf(namespace, from), to === undefined ? `${namespace}0` : nameOf(namespace, to)];
    const names = [...this.#values.keys()].filter((name) => name >= first && name < end).sort();
    const entries = [];
    let size = 0;
    for (const name of reverse ? names.reverse() : names) {
      const [key, value] = [
        Buffer.from(name.slice(namespace.length + 1), 'hex'),
        this.#values.get(name) ?? Buffer.of(),
      ];
      size += key.length + value.length;
      const full = entries.length >= (limit || 1_000) || size > (maxBytes || 1_048_576);
      if (full && entries.length > 0) return { entries, more: true };
      entries.push({ key, value });
    }
    return { entries, more: false };
  }

  write(request: Asked<'write'>): Answer<'write'> {
    const done = this.#queue.then(() => this.#write(request));
    this.#queue = done.catch(() => {});
    return done;
  }

  async verify(): Answer<'verify'> {
    const bytes = [...this.#values.values()].reduce((sum, { length }) => sum + length, 0);
    const answer = { entries: this.#values.size, bytes, problems: [] as string[] };
    try {
      for (const request of this.#lines()) void request;
    } catch (error) {
      answer.problems.push(String(error));
    }
    return answer;
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.journal.close();
  }

  async #write(request: WriteRequest): Answer<'write'> {
    const { writer, sequence, when, sync } = request;
    const last = writer === '' ? -1 : (this.#sequences.get(writer) ?? -1);
    if (writer !== '' && sequence === last) return { repeated: true };
    if (writer !== '' && sequence < last) throw failure('ERR_STORAGE_SEQUENCE', `${writer} is at ${last} already`);
    for (const { namespace, key, value } of when) {
      const found = this.#values.get(nameOf(namespace, key));
      const holds = found === undefined || value === undefined ? found === value : sameBytes(found, value);
      if (!holds) throw failure('ERR_STORAGE_CONDITION', `${nameOf(namespace, key)} is not as expected`);
    }
    const body = Buffer.from(WriteRequest.encode({ ...request, when: [] }));
    try {
      await this.journal.appendFile(`${toHex(sha256(body))} ${body.toString('base64')}\n`);
      if (sync && this.options.sync) await this.journal.datasync();
    } catch (error) {
      this.onFailure(error);
      throw failure('ERR_STORAGE_IO', 'the journal cannot be written', { cause: error });
    }
    this.#apply(request);
    return { repeated: false };
  }

  #apply({ writes, writer, sequence }: WriteRequest): void {
    if (writer !== '') this.#sequences.set(writer, sequence);
    for (const { namespace, key, value } of writes) {
      if (value === undefined) this.#values.delete(nameOf(namespace, key));
      else this.#values.set(nameOf(namespace, key), value);
    }
  }

  *#lines(): Generator<WriteRequest> {
    for (const [index, line] of readFileSync(this.file, 'latin1').split('\n').slice(0, -1).entries()) {
      const body = Buffer.from(line.slice(65), 'base64');
      if (toHex(sha256(body)) !== line.slice(0, 64)) throw damaged(`line ${index + 1} of the journal ${this.file}`);
      yield WriteRequest.decode(body);
    }
  }
}
