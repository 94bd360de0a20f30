import { createRequire } from 'node:module';
import { pino, type DestinationStream, type Logger } from 'pino';
import type * as PinoPretty from 'pino-pretty';
import { isItChainError, type Cancel, type Clock, type Log, type LogFields } from '@it-chain/contracts';
import { redact, redactText } from './redact.js';
import { RepeatFilter, type Held, type RepeatLimits } from './repeat-filter.js';

/** How much is logged; each level includes those before it. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';
type LineLevel = Exclude<LogLevel, 'silent'>;

/** The levels, from the least to the most. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const satisfies readonly LogLevel[];

/** How logs are written. */
export interface LogOptions {
  readonly level: LogLevel;
  /** Levels of single plugins, by their names. */
  readonly levels: Readonly<Record<string, LogLevel>>;
  /** Coloured text for people instead of JSON lines. */
  readonly pretty: boolean;
  /** Where lines go. Default: standard output. */
  readonly destination?: DestinationStream | undefined;
  readonly repeats?: RepeatLimits | undefined;
}

interface Line {
  readonly plugin: string;
  readonly level: LineLevel;
  readonly message: string;
  readonly fields: LogFields;
}

const REPEATS: RepeatLimits = { burst: 20, windowMs: 10_000, maxKinds: 1_000 };
const RESERVED = new Set(['time', 'level', 'plugin', 'nodeId', 'msg']);

/**
 * The logs of one process: JSON lines with time, level, plugin, nodeId, the fields of the line and msg. Repeats are
 * counted instead of written ("repeated 124 x"; lines at debug level are never held back), secrets are masked, and an
 * error is its code, message and hint; its stack is told at debug level only.
 */
export class Logs {
  readonly #clock: Clock;
  readonly #root: Logger;
  readonly #filter: RepeatFilter<Line>;
  readonly #levels = new Map<string, LogLevel>();
  readonly #cancelSweep: Cancel;
  #level: LogLevel;
  #nodeId: string | undefined;

  constructor(options: LogOptions, dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
    this.#level = options.level;
    for (const [plugin, level] of Object.entries(options.levels)) this.#levels.set(plugin, level);
    const repeats = options.repeats ?? REPEATS;
    this.#filter = new RepeatFilter(repeats);
    this.#root = pino(
      {
        base: null,
        level: 'debug',
        formatters: { level: (label) => ({ level: label }) },
        timestamp: () => `,"time":"${new Date(this.#clock.now()).toISOString()}"`,
      },
      destinationOf(options),
    );
    this.#cancelSweep = this.#clock.every(repeats.windowMs, () => {
      this.#tellHeld(this.#filter.sweep(this.#clock.monotonic()));
    });
  }

  /** The logger of one plugin. */
  of(plugin: string): Log {
    const at = (level: LineLevel) => (message: string, fields?: LogFields) => {
      this.#offer({ plugin, level, message, fields: fields ?? {} });
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  /** Adds the node's id to every later line. */
  bindNode(nodeId: string): void {
    this.#nodeId = nodeId;
  }

  /** Changes the level of one plugin, or of all that have none of their own. */
  setLevel(level: LogLevel, plugin?: string): void {
    if (plugin === undefined) this.#level = level;
    else this.#levels.set(plugin, level);
  }

  /** Writes what was held back and stops counting. */
  close(): void {
    this.#cancelSweep();
    this.#tellHeld(this.#filter.sweep(this.#clock.monotonic(), true));
  }

  #offer(line: Line): void {
    if (!this.#tells(line)) return;
    if (line.level === 'debug') {
      this.#write(line, line.message);
      return;
    }
    const kind = `${line.plugin}\n${line.level}\n${line.message}\n${codeOf(line.fields)}`;
    const { pass, ended } = this.#filter.offer(kind, line, this.#clock.monotonic());
    this.#tellHeld(ended);
    if (pass) this.#write(line, line.message);
  }

  #tells({ plugin, level }: Line): boolean {
    return LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(this.#levels.get(plugin) ?? this.#level);
  }

  #tellHeld(ended: readonly Held<Line>[]): void {
    for (const { line, count } of ended) {
      this.#write(
        { ...line, fields: { ...line.fields, repeated: count } },
        `${line.message} (repeated ${String(count)} x)`,
      );
    }
  }

  #write(line: Line, message: string): void {
    const stacks = (this.#levels.get(line.plugin) ?? this.#level) === 'debug';
    const nodeId = this.#nodeId === undefined ? {} : { nodeId: this.#nodeId };
    this.#root[line.level]({ plugin: line.plugin, ...nodeId, ...printable(line.fields, stacks) }, redactText(message));
  }
}

function destinationOf(options: LogOptions): DestinationStream {
  const plain = options.destination ?? pino.destination({ fd: 1, sync: true });
  if (!options.pretty) return plain;
  // Loaded where it is used: a node that writes for machines starts sooner without it.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty;
  const format = prettyFactory({ colorize: options.destination === undefined, ignore: 'nodeId' });
  return {
    write: (line: string) => {
      plain.write(format(line));
    },
  };
}

function codeOf(fields: LogFields): string {
  const code = fields['code'] ?? (fields['error'] as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

function printable(fields: LogFields, stacks: boolean): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) Object.assign(line, printableError(name, value, stacks));
    else line[RESERVED.has(name) ? `${name}_` : name] = redact(value, name);
  }
  return line;
}

/** An error becomes code, message and hint beside each other, so that a code can be searched for in every line alike. */
function printableError(name: string, error: Error, stacks: boolean): Record<string, unknown> {
  const code = (error as { code?: unknown }).code;
  return {
    ...(typeof code === 'string' ? { code } : {}),
    [name]: redactText(error.message),
    ...(isItChainError(error) && error.hint !== undefined ? { hint: redactText(error.hint) } : {}),
    ...(error.cause instanceof Error ? { cause: redactText(error.cause.message) } : {}),
    ...(stacks && error.stack !== undefined ? { stack: redactText(error.stack) } : {}),
  };
}
