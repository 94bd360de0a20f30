import Table from 'cli-table3';
import pc from 'picocolors';
import { harmless, harmlessStyled, oneLine } from './harmless.js';
import type { Io } from './io.js';

type Colors = ReturnType<typeof pc.createColors>;

/** Prints results: JSON lines for scripts, or text for people, with colour on a terminal only (and never with NO_COLOR). */
export class Printer {
  readonly color: Colors;
  readonly json: boolean;
  /** A line that is written over may be shown. */
  readonly live: boolean;
  readonly #io: Io;
  /** What is printed for people goes through this. A file or a pipe gets every byte as it is. */
  readonly #shown: (text: string) => string;
  #liveShown = false;

  constructor(options: { readonly json: boolean; readonly color: boolean }, io: Io) {
    this.#io = io;
    this.json = options.json;
    const noColor = io.env['NO_COLOR'] !== undefined && io.env['NO_COLOR'] !== '';
    this.color = pc.createColors(options.color && io.tty && !options.json && !noColor);
    this.live = io.tty && !options.json;
    const styled = this.color.isColorSupported ? harmlessStyled : harmless;
    this.#shown = io.tty ? styled : (text) => text;
  }

  /** One JSON line. */
  data(value: unknown): void {
    this.#clear();
    // Only texts can hold such characters, and there an escape means the same.
    this.#io.out(`${harmless(JSON.stringify(value))}\n`);
  }

  /** One line of text. */
  line(text = ''): void {
    this.#clear();
    this.#io.out(`${this.#shown(text)}\n`);
  }

  /** Text as it is. */
  text(text: string): void {
    this.#clear();
    const shown = this.#shown(text);
    this.#io.out(shown.endsWith('\n') ? shown : `${shown}\n`);
  }

  /** The JSON value, or the text for people. */
  result(value: unknown, human: () => string): void {
    if (this.json) this.data(value);
    else this.text(human());
  }

  /** A line that the next one replaces; nothing where there is no terminal. */
  status(text: string): void {
    if (!this.live) return;
    this.#io.out(`\r\x1b[2K${this.#shown(text)}`);
    this.#liveShown = true;
  }

  /** Names and values below each other. */
  pairs(rows: readonly (readonly [string, string])[]): string {
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, value]) => `${this.color.dim(name.padEnd(width))}  ${value}`).join('\n');
  }

  /** A table without a frame. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): string {
    const table = new Table({
      head: head.map((one) => this.color.dim(one)),
      chars: FRAMELESS,
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    });
    for (const row of rows) table.push(row.map(oneLine));
    return table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n');
  }

  #clear(): void {
    if (!this.#liveShown) return;
    this.#liveShown = false;
    this.#io.out('\r\x1b[2K');
  }
}

const FRAMELESS = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);
