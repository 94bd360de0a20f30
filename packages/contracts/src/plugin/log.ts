/** Facts of a log line: fields, not sentences built from values. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A plugin's logger. `error` needs a human, `warn` may, `info` is what an operator acts on (a few lines a minute),
 * `debug` is everything. Never a key, never bytes from the network as text.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}
