import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failure, isItChainError, type StatusReply } from '@it-chain/contracts';
import { pause } from '../commands/status.js';
import { DevnetNode, type ChildEnd } from './devnet-node.js';

/** What devnet is made. */
export interface DevnetOptions {
  readonly nodes: number;
  /** Absolute. */
  readonly dir: string;
  readonly basePort: number;
  /** Limit until all are validators, in ms. */
  readonly timeoutMs: number;
}

/** Told as the devnet comes up. */
export interface DevnetEvents {
  readonly onStep: (what: string, ms: number) => void;
  readonly onNode: (node: DevnetNode) => void;
}

/** The devnet of a directory, as it was made: a second run makes the same one again. */
export interface DevnetRecord {
  readonly nodes: number;
  readonly basePort: number;
}

const POLL_MS = 100;

/** The record of an earlier devnet in this directory. */
export function devnetIn(dir: string): DevnetRecord | undefined {
  const file = join(dir, 'devnet.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as DevnetRecord) : undefined;
}

/** N nodes on this machine, each a process: the first boots, the others join it as in the scenarios. */
export class Devnet {
  readonly nodes: readonly DevnetNode[];
  readonly #options: DevnetOptions;
  readonly #events: DevnetEvents;

  constructor(options: DevnetOptions, events: DevnetEvents) {
    this.#options = options;
    this.#events = events;
    const { nodes, dir, basePort } = options;
    this.nodes = Array.from({ length: nodes }, (_, index) => {
      const name = `n${index + 1}`;
      return new DevnetNode({
        name,
        dir: join(dir, name),
        peerPort: basePort + 10 * index,
        apiPort: basePort + 10 * index + 1,
        growth: nodes === 2 ? 'immediate' : 'skip-two',
        solo: nodes === 1,
      });
    });
  }

  /** Starts all; resolves when every node is a validator and all agree on the leader. @throws ERR_DEVNET_FAILED */
  async start(signal: AbortSignal): Promise<void> {
    const { dir, nodes, basePort } = this.#options;
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'devnet.json'), `${JSON.stringify({ nodes, basePort } satisfies DevnetRecord)}\n`);
    const [first, ...others] = this.nodes;
    if (first === undefined) return;
    const known = existsSync(join(first.options.dir, 'data', 'node.key'));
    if (known) {
      // They know each other and must not wait for one another: a quorum of them may be needed at once.
      await this.#launch('start all', this.nodes, signal);
    } else {
      await this.#launch(`start ${first.options.name}`, [first], signal);
      if (others.length > 0) await this.#launch('start the others', others, signal);
    }
    for (const node of others) {
      if (signal.aborted) return;
      const { role } = await node.client.status();
      if (role === 'validator' || role === 'learner') continue;
      await this.#step(`${node.options.name} joins`, () => this.#join(node, first, signal), signal);
    }
    const what = nodes === 1 ? 'a leader' : `${nodes} validators that agree on the leader`;
    await this.#step(what, () => this.#waitForAgreement(signal), signal);
  }

  /** Resolves with the first child that ends. */
  firstEnd(): Promise<ChildEnd> {
    return Promise.race(this.nodes.map((node) => node.ended));
  }

  /** Stops all together. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** Starts processes side by side, and tells them in their order. */
  async #launch(what: string, nodes: readonly DevnetNode[], signal: AbortSignal): Promise<void> {
    const started = await this.#step(what, () => Promise.all(nodes.map((node) => node.start())), signal);
    if (started) for (const node of nodes) this.#events.onNode(node);
  }

  async #join(node: DevnetNode, member: DevnetNode, signal: AbortSignal): Promise<void> {
    const end = Date.now() + this.#options.timeoutMs;
    for (;;) {
      try {
        await node.client.join(member.peer);
        return;
      } catch (error) {
        if (!isItChainError(error) || !error.retryable || signal.aborted || Date.now() > end) throw error;
        await pause(POLL_MS * 5, signal);
      }
    }
  }

  async #waitForAgreement(signal: AbortSignal): Promise<void> {
    const end = Date.now() + this.#options.timeoutMs;
    let last: readonly StatusReply[] = [];
    while (!signal.aborted) {
      last = await this.#statuses();
      if (this.#agree(last)) return;
      if (Date.now() > end) {
        const states = last.map(
          ({ name, role, height, leader, waiting }) =>
            `${name}: ${role}, height ${height}, leader ${leader === '' ? 'none' : leader.slice(0, 12)}${waiting === '' ? '' : `, ${waiting}`}`,
        );
        throw failure(
          'ERR_DEVNET_FAILED',
          `the nodes did not agree within ${this.#options.timeoutMs} ms: ${states.join('; ')}`,
        );
      }
      await pause(POLL_MS, signal);
    }
  }

  async #statuses(): Promise<readonly StatusReply[]> {
    const all = await Promise.all(
      this.nodes.map((node) =>
        node.client.status().catch((error: unknown) => {
          // A node that is busy for a moment is asked again; one that ended is told by its exit.
          if (isItChainError(error)) return undefined;
          throw error;
        }),
      ),
    );
    return all.filter((one): one is StatusReply => one !== undefined);
  }

  #agree(all: readonly StatusReply[]): boolean {
    const leaders = new Set(all.map(({ leader }) => leader));
    return (
      all.length === this.nodes.length &&
      all.every(({ role, validators }) => role === 'validator' && validators === this.nodes.length) &&
      leaders.size === 1 &&
      !leaders.has('')
    );
  }

  /** Runs a step; a child that ends meanwhile fails it at once. False where it was stopped in the middle. */
  async #step<T>(what: string, work: () => Promise<T>, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const began = performance.now();
    const died = this.firstEnd().then(({ name, how }) => {
      throw failure('ERR_DEVNET_FAILED', `${name} ended (${how}) while the devnet came up`, {
        hint: `Read ${join(this.#options.dir, name, 'node.log')}.`,
      });
    });
    // Each of them may still fail after another has decided the race; the race has told what mattered.
    died.catch(() => undefined);
    const working = work();
    working.catch(() => undefined);
    await Promise.race([working, died, stopped(signal)]);
    if (stopping(signal)) return false;
    this.#events.onStep(what, Math.round(performance.now() - began));
    return true;
  }
}

const stopping = (signal: AbortSignal): boolean => signal.aborted;

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}
