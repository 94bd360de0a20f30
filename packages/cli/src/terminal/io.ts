/** What the command has of the world around it; tests hand in their own. */
export interface Io {
  /** Writes to standard output. */
  readonly out: (text: string) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard output is a terminal: colour, and lines that change. */
  readonly tty: boolean;
  /** Calls back on SIGINT and SIGTERM; the result stops that. */
  readonly onSignal: (handler: (signal: 'SIGINT' | 'SIGTERM') => void) => () => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => never;
}

/** The io of this process. */
export function processIo(): Io {
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    // Undefined, not false, on a pipe; and undefined would leave the choice of colour to the environment.
    tty: (process.stdout as { readonly isTTY?: boolean }).isTTY === true,
    onSignal: (handler) => {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      const listeners = signals.map((signal) => ({
        signal,
        listener: () => {
          handler(signal);
        },
      }));
      for (const { signal, listener } of listeners) process.on(signal, listener);
      return () => {
        for (const { signal, listener } of listeners) process.off(signal, listener);
      };
    },
    exit: (code) => process.exit(code),
  };
}

/** An io that hears and says nothing: for what is printed from the definitions alone. */
export function silentIo(): Io {
  return {
    out: () => undefined,
    err: () => undefined,
    env: {},
    cwd: process.cwd(),
    tty: false,
    onSignal: () => () => undefined,
    exit: () => {
      throw new Error('nothing here ends the process');
    },
  };
}
