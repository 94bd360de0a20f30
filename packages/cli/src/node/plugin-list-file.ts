import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { failure } from '@it-chain/contracts';
import { isMap, isSeq, parseDocument, type Document, type YAMLMap, type YAMLSeq } from 'yaml';
import { DEFAULT_PLUGINS } from './defaults.js';

/** An entry of the list of plugins, as it is written. */
export interface PluginLine {
  readonly use: string;
  readonly role?: string | undefined;
  readonly with?: Readonly<Record<string, unknown>> | undefined;
}

/** The list of plugins in a config file of text, changed without touching its comments or the rest. */
export class PluginListFile {
  readonly file: string;
  readonly #text: string;
  readonly #document: Document;

  /** Reads the file; one that is not there is a config with the default plugins. @throws ERR_CONFIG_FORMAT for a program */
  constructor(file: string) {
    if (!['.yaml', '.yml', '.json'].includes(extname(file))) {
      throw failure('ERR_CONFIG_FORMAT', `${file} is a program, which this command does not change`, {
        hint: 'Change its list `plugins` by hand.',
      });
    }
    this.file = file;
    this.#text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    this.#document = parseDocument(this.#text);
    if (!isMap(this.#document.contents)) this.#document.contents = this.#document.createNode({}) as never;
    if (!isSeq(this.#document.get('plugins')))
      this.#document.set('plugins', this.#document.createNode(DEFAULT_PLUGINS));
  }

  /** Adds an entry at the end; gives its place in the list. */
  add(line: PluginLine): number {
    const plain = Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined));
    this.#list.add(this.#document.createNode(plain));
    return this.#list.items.length - 1;
  }

  /** Puts an entry in the place of another; the comments around it stay. */
  replace(index: number, line: PluginLine): void {
    const old = this.#list.items[index] as YAMLMap | undefined;
    const node = this.#document.createNode(
      Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined)),
    );
    node.commentBefore = old?.commentBefore ?? null;
    this.#list.items[index] = node;
  }

  remove(index: number): void {
    this.#list.delete(index);
  }

  /** The whole file as it would be. */
  print(): string {
    if (extname(this.file) === '.json') return `${JSON.stringify(this.#document.toJS(), null, 2)}\n`;
    // As the file has it: lists under their key may stand at its margin.
    const indentSeq = !/^plugins:[^\n]*\n(?:\s*#[^\n]*\n)*- /m.test(this.#text);
    return this.#document.toString({ lineWidth: 0, indentSeq, singleQuote: true });
  }

  /**
   * Writes it at once or not at all, after `check` has seen the new file under another name beside it. Where `check` throws,
   * nothing has changed.
   */
  async write(check: (draft: string) => Promise<void>): Promise<void> {
    const draft = join(dirname(this.file), `.it-chain-draft-${process.pid}${extname(this.file)}`);
    const mode = existsSync(this.file) ? statSync(this.file).mode : 0o644;
    writeFileSync(draft, this.print(), { mode });
    try {
      await check(draft);
      renameSync(draft, this.file);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  get #list(): YAMLSeq {
    const list = this.#document.get('plugins');
    if (isSeq(list)) return list;
    throw failure('ERR_CONFIG_INVALID', `plugins of ${this.file} is no list`);
  }
}
