import { hasCode, messageOf } from '../errors/it-chain-error.js';
import type { Cancel } from '../plugin/clock.js';
import type { PluginContext, Running } from '../plugin/plugin.js';
import { Chain } from '../roles/chain.js';
import { readBlock, type CommittedBlock } from './read-block.js';

/** Something that takes the blocks of the chain one after the other, and knows how far it has come. */
export interface BlockReader {
  /** The height of the last block it has; 0 for none. */
  readonly height: number;
  /** Takes the block of `height + 1`. Where it throws, the same block comes again later. */
  take(block: CommittedBlock): void | Promise<void>;
  /** Ends what the reader began. Called once. */
  close?(): void | Promise<void>;
}

/** Pause between two looks at the tip, should an event have been lost, in ms. */
const POLL_MS = 1_000;

/** Catches up with the chain, one look after the other; a look meanwhile means one more. */
class BlockFeed {
  readonly #context: Pick<PluginContext, 'health' | 'log'>;
  readonly #chain: Pick<Chain, 'tip' | 'get'>;
  #reader: BlockReader | undefined;
  #work: Promise<void> = Promise.resolve();
  #busy = false;
  #again = false;
  #problem = '';

  constructor(context: Pick<PluginContext, 'health' | 'log'>, chain: Pick<Chain, 'tip' | 'get'>) {
    this.#context = context;
    this.#chain = chain;
  }

  begin(reader: BlockReader): void {
    this.#reader = reader;
    this.look();
  }

  look(): void {
    this.#again = true;
    if (this.#busy || this.#reader === undefined) return;
    this.#busy = true;
    this.#work = this.#run();
  }

  async end(): Promise<void> {
    const last = this.#reader;
    this.#reader = undefined;
    await this.#work;
    await last?.close?.();
  }

  async #run(): Promise<void> {
    for (let reader = this.#reader; this.#again && reader !== undefined; reader = this.#reader) {
      this.#again = false;
      try {
        await this.#catchUp(reader);
        this.#tell('');
      } catch (error) {
        if (!hasCode(error, 'ERR_NETWORK_UNFOUNDED')) this.#tell(messageOf(error));
      }
    }
    this.#busy = false;
  }

  async #catchUp(into: BlockReader): Promise<void> {
    const tip = await this.#chain.tip({});
    while (this.#reader === into && into.height < tip.height) {
      const height = into.height + 1;
      const { block } = await this.#chain.get({ height });
      if (block === undefined) throw new Error(`the chain has no block ${height} any more`);
      await into.take(readBlock(block));
      if (into.height !== height) throw new Error(`the reader has taken block ${height} and stands at ${into.height}`);
    }
  }

  #tell(reason: string): void {
    if (reason === this.#problem) return;
    this.#problem = reason;
    if (reason !== '') this.#context.log.warn('blocks wait to be taken; trying again', { reason });
    this.#context.health(reason === '' ? { state: 'ok' } : { state: 'degraded', reason });
  }
}

/**
 * Gives every committed block to a reader, in order and without a gap, also after this node was away. Events only say that
 * it is worth looking; the chain is the truth. `open` opens the reader when the plugin starts. Call it in `setup` and give
 * its result back; the manifest requires `Chain`. A block that the chain no longer has (it was pruned, or the chain began
 * with a snapshot) makes the plugin degraded, with the height.
 */
export function followBlocks(
  context: PluginContext,
  open: () => BlockReader | Promise<BlockReader>,
  { pollMs = POLL_MS }: { readonly pollMs?: number } = {},
): Running {
  const feed = new BlockFeed(context, context.use(Chain));
  // An event is a hint and may be lost: it only says that it is worth looking.
  context.on(Chain.events.committed, () => feed.look());
  let cancel: Cancel = () => undefined;
  return {
    async start() {
      feed.begin(await open());
      cancel = context.clock.every(pollMs, () => feed.look());
    },
    stop() {
      cancel();
      return feed.end();
    },
  };
}
