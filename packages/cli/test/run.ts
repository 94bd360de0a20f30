import { main, type Io } from '@it-chain/cli';

/** What a run of the command left behind. */
export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON, one value per line. */
  readonly json: readonly Record<string, unknown>[];
}

/** Where and how a command is run. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly tty?: boolean;
  /** Called with every piece of output and a function that sends a signal. */
  readonly onOut?: (text: string, signal: (name: 'SIGINT' | 'SIGTERM') => void) => void;
}

/** Runs one command line in this process. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  let out = '';
  let err = '';
  const handlers = new Set<(signal: 'SIGINT' | 'SIGTERM') => void>();
  const signal = (name: 'SIGINT' | 'SIGTERM'): void => {
    for (const handler of handlers) handler(name);
  };
  const io: Io = {
    out: (text) => {
      out += text;
      options.onOut?.(out, signal);
    },
    err: (text) => {
      err += text;
    },
    env: options.env ?? {},
    cwd: options.cwd ?? '/nonexistent',
    tty: options.tty ?? false,
    onSignal: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    exit: (code) => {
      throw new Error(`the process would end with ${code}`);
    },
  };
  const code = await main(['node', 'it-chain', ...args], io);
  return {
    code,
    out,
    err,
    get json() {
      return out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}
