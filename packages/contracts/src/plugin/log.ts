/** Facts of a log line: fields, not sentences built from values. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A plugin's logger. `error` needs a human, `warn` may, `info` is what an operator acts on (a few lines a minute),
 * `debug` is everything. Never a key, never bytes from the network as text.
 */
export interface Log {
  /** For whoever looks for a fault; off by default. */
  debug(message: string, fields?: LogFields): void;
  /** What an operator wants to know of a healthy node. */
  info(message: string, fields?: LogFields): void;
  /** Something is wrong that the node lives with. */
  warn(message: string, fields?: LogFields): void;
  /** Something failed that an operator must mend. */
  error(message: string, fields?: LogFields): void;
}
