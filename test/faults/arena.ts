import { randomBytes } from 'node:crypto';
import { createClient, type Client } from '@it-chain/client';
import { Genesis, isItChainError, keyPairFromSeed, networkOf, toHex } from '@it-chain/contracts';
import { allValidators, scratch } from '../support/network.js';
import { NodeProcess, type NodeOptions } from '../support/node-process.js';
import { timeFactor, until } from '../support/until.js';
import { ChainAudit } from './chain-audit.js';
import { Disk } from './disk.js';
import { EventLoopWatch } from './event-loop-watch.js';
import { Ledger, type LedgerCounts } from './ledger.js';
import { Load } from './load.js';
import { NetLab, folderOf, type LinkQuality } from './net-lab.js';
import { openFiles, residentMb } from '../support/processes.js';
import { Watch } from './watch.js';

/** I9: a run counts only where this many transactions a second were acknowledged before the fault. */
const MIN_RATE = 50;
const MAX_RSS_MB = 400;
const FD_SLACK = 10;

/** How an arena is made. */
export interface ArenaOptions {
  readonly nodes: number;
  /** Transactions a second that are offered. */
  readonly rate: number;
  /** Whose namespaces and files these are. */
  readonly owner: string;
  /** Each node has a disk of its own, whose power can be cut. */
  readonly disks?: boolean | undefined;
  /** Starts the broker that all nodes use, once there is a network to reach it by. */
  readonly busUrl?: (() => Promise<string>) | undefined;
  readonly quality?: LinkQuality | undefined;
  /** Changes to the options of one node (from 1), such as another consensus plugin. */
  readonly node?: ((host: number) => Partial<NodeOptions>) | undefined;
  /** Hosts for nodes that join later. */
  readonly spare?: number | undefined;
  readonly genesis?: Readonly<Record<string, unknown>> | undefined;
  /** The last so many of the nodes are liars: they get no load, and nothing is expected of them. */
  readonly evil?: number | undefined;
}

/** What was measured after a scenario. */
export interface Verdict {
  readonly counts: LedgerCounts;
  /** Time until a new transaction was committed everywhere after the last fault was lifted, in ms. */
  readonly recoveryMs: number;
  readonly maxRssMb: number;
  /** 99th percentile of the delay of the event loops outside faults, in ms; undefined while there are too few samples. */
  readonly eventLoopP99Ms: number | undefined;
  readonly height: number;
}

/** Nodes on hosts of their own under load, with everything that is needed to judge them afterwards. */
export class Arena {
  readonly lab: NetLab;
  /** The honest ones. */
  readonly nodes: NodeProcess[] = [];
  readonly liars: NodeProcess[] = [];
  readonly ledger = new Ledger();
  /** Public keys, hex, that may be caught at signing two things: those of evil nodes. */
  readonly evil = new Set<string>();
  readonly #spares: NodeProcess[] = [];
  readonly #options: ArenaOptions;
  readonly #folder: { readonly dir: string; remove(): void };
  readonly #disks: Disk[] = [];
  readonly #delay = new EventLoopWatch();
  readonly #files = new Map<NodeProcess, number>();
  /** One per node, alive over its restarts. */
  #clients: Client[] = [];
  #load: Load | undefined;
  #watch: Watch | undefined;
  #audit: ChainAudit | undefined;
  #busUrl: string | undefined;
  #maxRssMb = 0;
  #sampler: NodeJS.Timeout | undefined;

  private constructor(options: ArenaOptions) {
    this.#options = options;
    this.#folder = scratch(`${folderOf(options.owner)}-`);
    this.lab = new NetLab({
      count: options.nodes + (options.spare ?? 0),
      owner: options.owner,
      quality: options.quality,
    });
  }

  /** Starts the nodes; waits until all are validators. */
  static async start(options: ArenaOptions): Promise<Arena> {
    const arena = new Arena(options);
    try {
      arena.#busUrl = await options.busUrl?.();
      await arena.#start();
      await allValidators(arena.nodes);
      for (const liar of arena.nodes.splice(options.nodes - (options.evil ?? 0))) {
        arena.liars.push(liar);
        arena.evil.add(toHex((await liar.client.status()).publicKey));
      }
      await arena.#observe();
      return arena;
    } catch (error) {
      const logs = arena.logs();
      await arena.remove();
      throw new Error(`the network did not come up: ${String(error)}\n${logs}`, { cause: error });
    }
  }

  /** Starts a node on a spare host, which joins by the second node; it is ended with the arena, at the latest. */
  async spareNode(host: number, name: string): Promise<NodeProcess> {
    const node = await NodeProcess.create({
      name,
      dir: this.#folder.dir,
      busUrl: this.#busUrl,
      place: this.lab.place(host),
      sections: { p2p: { dial: this.nodes.map(({ peer }) => peer) } },
    });
    this.#spares.push(node);
    await node.start();
    await until('a node that lets it join', () => node.client.join(given(this.nodes[1]).peer), 60_000);
    return node;
  }

  /** Starts the nodes of all hosts side by side; then all but the first join the first, one after the other. */
  async #start(): Promise<void> {
    const { genesis, nodes, disks } = this.#options;
    for (let host = 1; host <= nodes; host += 1) {
      // Beyond loopback a founder asks for votes by default; here whoever has a link is meant to join.
      const p2p = { genesis: { admission: 'open', growth: 'skip-two', ...genesis } };
      const extra = this.#options.node?.(host);
      if (disks === true) this.#disks.push(new Disk(this.#folder.dir, `n${host}`));
      const node = await NodeProcess.create({
        name: `n${host}`,
        dir: this.#folder.dir,
        busUrl: this.#busUrl,
        place: this.lab.place(host),
        ...extra,
        sections: { ...extra?.sections, p2p: { ...p2p, ...extra?.sections?.['p2p'] } },
      });
      this.nodes.push(node);
    }
    await Promise.all(this.nodes.map((node) => node.start()));
    const [first, ...others] = this.nodes;
    for (const node of others) await node.client.join(given(first).peer);
  }

  get watch(): Watch {
    return given(this.#watch);
  }
  get audit(): ChainAudit {
    return given(this.#audit);
  }
  get load(): Load {
    return given(this.#load);
  }
  /** A node (from 0). */
  node(index: number): NodeProcess {
    return given(this.nodes[index]);
  }
  /** The disk of a node (from 0). */
  disk(index: number): Disk {
    return given(this.#disks[index]);
  }
  /** A client of a node (from 0) that lives over restarts. */
  client(index: number): Client {
    return given(this.#clients[index]);
  }
  clients(): readonly Client[] {
    return this.#clients;
  }

  /** The index of the node that leads, as a quorum's majority sees it. */
  async leader(): Promise<number> {
    return until('a leader', async () => {
      for (const node of this.nodes) {
        if (!node.running) continue;
        const { leader } = await node.client.leader({ timeoutMs: 5_000 });
        const index = this.nodes.findIndex(({ nodeId }) => nodeId === leader);
        if (index >= 0) return { index };
      }
      return undefined;
    }).then(({ index }) => index);
  }

  /** I9. Waits until enough was acknowledged over `ms`; gives the rate. */
  async warmUp(ms: number): Promise<number> {
    this.load.start();
    this.#delay.start(this);
    const acknowledged = await until(
      `at least ${MIN_RATE} acknowledged transactions a second over ${ms} ms`,
      () => {
        const rate = this.ledger.rate(ms);
        return rate >= MIN_RATE ? rate : undefined;
      },
      30_000,
    );
    this.#delay.stop();
    return acknowledged;
  }

  /** Checks I1 to I9 after the last fault is lifted; the load goes on with the next scenario. @throws what does not hold */
  async judge(): Promise<Verdict> {
    await this.load.stop();
    const recoveryMs = await this.#recover();
    await this.#settle();
    const counts = this.ledger.count(this.audit.committed, this.audit.membership);
    const breaches = [...this.ledger.breaches, ...this.watch.forks.map((fork) => `agreement: ${fork}`)];
    for (const { publicKey, height, type, node } of this.watch.evidence) {
      if (this.evil.has(publicKey)) continue;
      breaches.push(`self-equivocation: n${node} caught ${publicKey} at height ${height} (${type})`);
    }
    if (counts.lost + counts.duplicated + counts.unexpected > 0) {
      breaches.push(`durability: ${counts.lost} lost, ${counts.duplicated} twice, ${counts.unexpected} unexpected`);
    }
    for (const node of this.nodes) breaches.push(...logBreaches(node));
    await this.#bounded();
    if (breaches.length > 0) throw new Error(breaches.slice(0, 20).join('\n'));
    const { p99 } = this.#delay;
    const eventLoopP99Ms = p99 === undefined ? undefined : Math.round(p99 * 10) / 10;
    return { counts, recoveryMs, maxRssMb: Math.round(this.#maxRssMb), eventLoopP99Ms, height: this.audit.height };
  }

  /** The end of every node's log. */
  logs(): string {
    return [...this.nodes, ...this.liars].map(({ name, stderr }) => `--- ${name}\n${stderr.slice(-3_000)}`).join('\n');
  }

  async remove(): Promise<void> {
    clearInterval(this.#sampler);
    await this.#load?.stop();
    await this.#watch?.close();
    for (const client of this.#clients) client.close();
    this.#delay.stop();
    await Promise.all([...this.nodes, ...this.liars, ...this.#spares].map((node) => node.stop('SIGKILL')));
    this.lab.remove();
    for (const disk of this.#disks) disk.remove();
    this.#folder.remove();
  }

  async #observe(): Promise<void> {
    const { genesis: encoded } = await given(this.nodes[0]).client.genesis();
    const genesis = Genesis.decode(encoded);
    const network = networkOf(genesis);
    this.#clients = this.nodes.map((node) => createClient({ address: node.api, token: node.token() }));
    const { rate } = this.#options;
    const { ledger } = this;
    this.#load = new Load({ rate, network, expiresAt: genesis.window }, { clients: this.#clients, ledger });
    this.#watch = new Watch({ network }, { clients: this.#clients, ledger });
    this.#audit = new ChainAudit(genesis);
    for (const node of this.nodes) this.#files.set(node, 0);
    this.#sampler = setInterval(() => {
      for (const { pid } of this.nodes) this.#maxRssMb = Math.max(this.#maxRssMb, residentMb(pid));
    }, 500);
  }

  /** I5. A new transaction commits on every node, and all tips are equal. */
  async #recover(): Promise<number> {
    const lifted = performance.now();
    // Of a sender of its own: it stands behind nobody's backlog.
    const { id, encoded } = this.load.transaction(keyPairFromSeed(randomBytes(32)));
    this.ledger.sent([id]);
    const client = this.client(0);
    const statuses = await until('a node that takes a transaction', () => client.submit([encoded]), 20_000);
    this.ledger.answered([id], statuses);
    const bytes = Buffer.from(id, 'hex');
    await until(
      'a new transaction on every node',
      async () => {
        const found = await Promise.all(this.#clients.map((one) => one.transaction(bytes, { timeoutMs: 5_000 })));
        return found.every(({ status }) => status === 'committed');
      },
      20_000,
    );
    return Math.round(performance.now() - lifted);
  }

  /** Waits until nothing is under way any more, and has the chain read by then. I1, I2, I3, I7. */
  async #settle(): Promise<void> {
    await until(
      'every acknowledged transaction in the chain, and equal tips',
      async () => {
        const all = await Promise.all(this.#clients.map((client) => client.status({ timeoutMs: 5_000 })));
        const tips = new Set(
          all.map(({ height, digest, stateRoot }) => `${height} ${String(digest)} ${String(stateRoot)}`),
        );
        if (tips.size !== 1) return false;
        // Agreement and validity throw out of here for good: no later look makes a fork undone.
        await this.audit.advance(this.#clients).catch((error: unknown) => {
          if (isItChainError(error) && error.code.startsWith('ERR_CLI_')) throw error;
          this.watch.forks.push(String(error));
        });
        return this.watch.forks.length > 0 || this.ledger.isSettled(this.audit.committed);
      },
      60_000,
    );
  }

  /** I6. Memory, file descriptors, and no process that ended by itself. */
  async #bounded(): Promise<void> {
    for (const node of this.nodes) {
      if (!node.running) throw new Error(`${node.name} is gone: ${JSON.stringify(await node.ended())}\n${node.stderr}`);
      const before = this.#files.get(node) ?? 0;
      if (before === 0) this.#files.set(node, openFiles(node.pid));
      else {
        const what = `at most ${before + FD_SLACK} open files of ${node.name}`;
        await until(what, () => openFiles(node.pid) <= before + FD_SLACK, 10_000);
      }
    }
    if (this.#maxRssMb > MAX_RSS_MB) throw new Error(`a node used ${Math.round(this.#maxRssMb)} MB`);
  }
}

/** I8, and what no process may have said. */
function logBreaches({ name, stderr }: NodeProcess): string[] {
  const breaches: string[] = [];
  const trace = /\n\s+at .+:\d+:\d+\)?/.exec(stderr) ?? /\\n\s+at .+?:\d+:\d+/.exec(stderr);
  if (trace !== null)
    breaches.push(`${name} logged a stack trace: ${stderr.slice(Math.max(0, trace.index - 300)).slice(0, 600)}`);
  for (const word of ['unhandledRejection', 'uncaughtException', 'ERR_INTERNAL']) {
    if (stderr.includes(word)) breaches.push(`${name} logged ${word}`);
  }
  return breaches;
}

/** What must be there by now. */
function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the arena is not ready');
  return value;
}

/** Waits a while that is part of a scenario. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The limit of a measured time, on this machine. */
export const limitMs = (ms: number): number => ms * timeFactor;
