import { isItChainError, type Bus, type IncomingMessage, type Registration } from '@it-chain/contracts';

/** One bus to be tested, fresh for each test. */
export interface BusUnderTest {
  readonly bus: Bus;
  /** Opens a bus of another process of the same node: same namespace, same broker. */
  readonly second?: () => Promise<Bus>;
  /** Opens a bus of another node on the same broker. */
  readonly otherNamespace?: () => Promise<Bus>;
  /** Stops the broker, runs `whileDown`, starts it again; resolves when it accepts connections. */
  readonly restartBroker?: (whileDown?: () => Promise<void>) => Promise<void>;
  /** Dead letters that are kept. */
  readonly deadLetters?: () => Promise<number>;
  /** Closes everything that was opened. */
  teardown(): Promise<void>;
}

/** What the factory offers; tests of what it does not offer are left out. */
export interface BusSupport {
  readonly second?: boolean;
  readonly otherNamespace?: boolean;
  readonly restartBroker?: boolean;
  readonly deadLetters?: boolean;
  /** The largest body, in bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Multiplies how long the suite waits for something to happen. Default: the environment's TEST_TIME_FACTOR, or 6. */
  readonly timeFactor?: number;
}

/** What one test gets. */
export interface BusBench extends BusUnderTest {
  readonly maxMessageBytes: number;
  /** Waits until the condition holds; fails with `what` after a generous limit. */
  readonly until: (what: string, condition: () => boolean) => Promise<void>;
}

/** One test of the suite. */
export interface BusCase {
  /** The number of the promise it belongs to. */
  readonly promise: string;
  readonly title: string;
  readonly needs?: readonly ('second' | 'otherNamespace' | 'restartBroker' | 'deadLetters')[];
  run(bench: BusBench): Promise<void>;
}

/** A time that no test reaches: an error that must come at once cannot be mistaken for a timeout. */
export const LONG_MS = 3_600_000;

/** Makes a bench of what the factory gave. */
export function createBench(under: BusUnderTest, support: BusSupport): BusBench {
  const factor = support.timeFactor ?? Number(process.env['TEST_TIME_FACTOR'] ?? 6);
  return {
    ...under,
    maxMessageBytes: support.maxMessageBytes ?? 16 * 1024 * 1024,
    until: (what, condition) => waitUntil(what, condition, 2_500 * factor),
  };
}

async function waitUntil(what: string, condition: () => boolean, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The part of the factory a test says it needs. */
export function need<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the factory does not give what `supports` says');
  return part;
}

/** The code of the error of a promise that must reject, or `resolved`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return isItChainError(error) ? error.code : `not of the framework: ${String(error)}`;
  }
}

/** A text as bytes, and back. */
export const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
export const text = (body: Uint8Array): string =>
  Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');

/** A promise that is settled from outside. */
export interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}
export function createGate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A promise that stays pending. */
export const never = (): Promise<never> => new Promise(() => undefined);

/** Lets everything settle that is on its way within this process. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A handler that keeps what it gets. */
export function recorder(): { readonly got: string[]; readonly handler: (message: IncomingMessage) => Promise<void> } {
  const got: string[] = [];
  return {
    got,
    handler: (message) => {
      got.push(text(message.body));
      return Promise.resolve();
    },
  };
}

/** Serves a role that answers with what `answer` makes of the text of the request. */
export function serveText(
  bus: Bus,
  role: string,
  addresses: readonly string[],
  answer: (text: string, address: string) => string | Promise<string>,
): Promise<Registration> {
  return bus.serve(role, addresses, async ({ body, address }) => bytes(await answer(text(body), address)));
}

/** Asks with a text and gives the text of the answer. */
export async function ask(
  bus: Bus,
  role: string,
  address: string,
  request: string,
  timeoutMs = LONG_MS,
): Promise<string> {
  return text(await bus.request(role, address, bytes(request), { timeoutMs }));
}
