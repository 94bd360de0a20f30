import {
  Application,
  Chain,
  Identity,
  P2p,
  Storage,
  failure,
  hasCode,
  p2pKeys,
  type ChainTip,
  type Domain,
  type Log,
  type Snapshot,
} from '@it-chain/contracts';
import {
  MemoryBus,
  SystemClock,
  createProxy,
  serveRole,
  startNode,
  type ConfigFlag,
  type NodeServices,
  type RunningNode,
} from '@it-chain/kernel';
import { configOptions, version } from '../node/defaults.js';
import type { Io } from '../terminal/io.js';

/** How the parts of a stopped node are opened. */
export interface StoppedNodeOptions {
  readonly config?: string | undefined;
  /** The verb, for messages about its flags. */
  readonly verb: string;
  /** Without: storage, application and chain. */
  readonly roles?: readonly string[] | undefined;
  readonly flags?: readonly Omit<ConfigFlag, 'flag'>[] | undefined;
  /** Given where another part of this command holds the key and the lock. */
  readonly identity?: NodeServices['identity'];
  /** The network that chain enters where the store is empty: there is no p2p here to ask. */
  readonly genesis?: Uint8Array | undefined;
}

const noLog: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
/** How long chain may take to enter a network, in ms; it asks once a second. */
const ENTER_MS = 30_000;

/** Storage, application and chain of a node that does not run: nothing listens, nothing is signed, nobody is dialled. */
export class StoppedNode {
  readonly storage: Storage;
  readonly chain: Chain;
  readonly #identity: Identity;
  readonly #node: RunningNode;
  readonly #clock = new SystemClock();

  private constructor(node: RunningNode, verb: string) {
    let calls = 0;
    const sender = verb.replaceAll(' ', '-');
    const origin = { bus: () => node.bus, clock: this.#clock, sender, nextId: () => `${sender}-${++calls}` };
    this.#node = node;
    this.storage = createProxy(Storage, origin);
    this.chain = createProxy(Chain, origin);
    this.#identity = createProxy(Identity, origin);
  }

  /** Holds the data directory until {@link stop}. @throws ERR_STORAGE_IN_USE where the node runs */
  static async open(options: StoppedNodeOptions, io: Io): Promise<StoppedNode> {
    const { config, verb, roles = [Storage.name, Application.name, Chain.name], flags = [], genesis } = options;
    const bus = new MemoryBus();
    if (genesis !== undefined) await serveRole(bus, P2p, { network: () => Promise.resolve({ genesis }) }, noLog);
    const node = await startNode({
      ...configOptions(io, {
        config,
        only: [...roles, Identity.name],
        flags: [{ path: 'log.level', value: 'error' }, ...flags].map((flag) => ({ flag: verb, ...flag })),
      }),
      version: version(),
      bus,
      logDestination: { write: io.err },
      ...(options.identity === undefined ? {} : { services: { identity: options.identity } }),
    });
    return new StoppedNode(node, verb);
  }

  get dataDir(): string {
    return this.#node.config.node.dataDir;
  }

  get identity(): RunningNode['identity'] {
    return this.#node.identity;
  }

  /** Signs with the key of the node; for a part that was not given another one's identity. */
  async sign(domain: Domain, network: Uint8Array, content: Uint8Array): Promise<Uint8Array> {
    return (await this.#identity.sign({ domain, network, content })).signature;
  }

  /** The genesis that the store holds. */
  async genesis(): Promise<Uint8Array | undefined> {
    const { values } = await this.storage.read({ namespace: 'p2p', keys: [p2pKeys.genesis] });
    return values[0]?.value;
  }

  /** The end of the chain, or undefined before founding. */
  async tip(): Promise<ChainTip | undefined> {
    try {
      return await this.chain.tip({});
    } catch (error) {
      if (hasCode(error, 'ERR_NETWORK_UNFOUNDED')) return undefined;
      throw error;
    }
  }

  /** What the chain begins with, where its plugin knows of snapshots. */
  async base(): Promise<Snapshot | undefined> {
    try {
      return (await this.chain.base?.({}))?.snapshot;
    } catch (error) {
      if (hasCode(error, 'ERR_ROLE_UNKNOWN_CALL')) return undefined;
      throw error;
    }
  }

  /** Writes the genesis where there is none, as p2p would, and waits until chain has entered its network. */
  async found(genesis: Uint8Array): Promise<ChainTip> {
    await this.storage.write({
      writes: [{ namespace: 'p2p', key: p2pKeys.genesis, value: genesis }],
      when: [{ namespace: 'p2p', key: p2pKeys.genesis }],
      sync: true,
      writer: '',
      sequence: 0,
    });
    return this.entered();
  }

  /** Waits until chain has entered the network of the store. */
  async entered(): Promise<ChainTip> {
    for (const end = this.#clock.monotonic() + ENTER_MS; ;) {
      const tip = await this.tip();
      if (tip !== undefined) return tip;
      if (this.#clock.monotonic() > end) throw failure('ERR_NODE_ABORTED', 'chain did not enter the network');
      await this.#clock.sleep(50);
    }
  }

  async stop(): Promise<void> {
    await this.#node.stop();
  }
}
