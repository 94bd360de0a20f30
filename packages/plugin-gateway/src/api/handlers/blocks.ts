import {
  Block,
  BlockHeader,
  failure,
  hasCode,
  headerDigest,
  toHex,
  type BlockReply,
  type Call,
  type CertifiedBlock,
} from '@it-chain/contracts';
import { WakeUp } from '../wake-up.js';
import type { HandlerContext, StreamHandlers, UnaryHandlers } from './handlers.js';
import { ifFounded, tipIfFounded } from './network-facts.js';
import { unlessCutOff } from './unless-cut-off.js';

/** Blocks that a follower's next page may hold. */
const PAGE_COUNT = 50;
/** Attempts of a state query whose root was overtaken by a commit. */
const MAX_STALE = 5;
/** Room for the envelope of an answer that is filled up to the message limit. */
const ENVELOPE_BYTES = 64 * 1024;
const FOLLOW_EVENTS: ReadonlySet<string> = new Set(['block.committed', 'network.founded']);

/** Blocks and state. */
export function blockHandlers({
  options,
  dependencies,
}: HandlerContext): Pick<UnaryHandlers, 'getBlock' | 'getBlocks' | 'queryState' | 'getValidators'> &
  Pick<StreamHandlers, 'followBlocks'> {
  const { chain, application, context } = dependencies;
  const pageBytes = Math.max(64 * 1024, options.maxMessageBytes - ENVELOPE_BYTES);

  return {
    getBlock: async ({ height, digest }, call) => {
      const asked = height === 0 && digest === undefined ? (await chain.tip({}, call)).height : height;
      const where = digest === undefined ? `height ${asked}` : `digest ${toHex(digest)}`;
      const found =
        asked === 0 && digest === undefined
          ? undefined
          : await orUndefined(() => chain.get({ height: asked, ...(digest === undefined ? {} : { digest }) }, call));
      if (found?.block === undefined) {
        throw failure(
          'ERR_BLOCK_NOT_FOUND',
          asked === 0 && digest === undefined ? 'there is no block yet' : `no block of ${where}`,
        );
      }
      return blockReply(found.block);
    },
    getBlocks: async ({ from, limit }, call) => {
      const maxCount = Math.min(limit === 0 ? 100 : limit, 500);
      const range = await chain.range({ from: Math.max(1, from), maxCount, maxBytes: pageBytes }, call);
      return { blocks: range.blocks.map(blockReply) };
    },
    followBlocks: async ({ from }, sink) => {
      const { signal } = sink;
      const wakeUp = new WakeUp(({ name }) => FOLLOW_EVENTS.has(name), {
        events: dependencies.events,
        clock: context.clock,
      });
      try {
        let next = from !== 0 ? from : ((await tipIfFounded(dependencies, { signal }))?.height ?? 0) + 1;
        while (!signal.aborted) {
          const page = await unlessCutOff(() =>
            ifFounded(() =>
              chain.range({ from: next, maxCount: PAGE_COUNT, maxBytes: options.subscriber.maxBytes }, { signal }),
            ),
          );
          for (const block of page?.blocks ?? []) {
            const reply = blockReply(block);
            if (reply.height !== next)
              throw failure('ERR_INTERNAL', `the chain gave block ${reply.height} where ${next} was asked for`);
            await sink.write(reply);
            next += 1;
          }
          if ((page?.blocks ?? []).length === 0) await wakeUp.wait(options.pollMs, signal);
        }
      } finally {
        wakeUp.close();
      }
    },
    queryState: async ({ path, data, prove }, call) => {
      for (let attempt = 1; ; attempt += 1) {
        const tip = await chain.tip({}, call);
        try {
          const answer = await application.query({ path, data, prove, root: tip.applicationRoot }, call);
          const { found, proof, code } = answer;
          const { height, stateRoot, applicationRoot, systemRoot } = tip;
          return { found, data: answer.data, proof, code, height, stateRoot, applicationRoot, systemRoot };
        } catch (error) {
          // A block was committed between the two questions; ask at its root.
          if (!isStale(error) || attempt >= MAX_STALE) throw error;
        }
      }
    },
    getValidators: async ({ height }, call: Call) => chain.validators({ height }, call),
  };
}

const isStale = (error: unknown): boolean =>
  hasCode(error, 'ERR_KV_STALE_ROOT') || hasCode(error, 'ERR_APPLICATION_STALE_ROOT');

/** A stored block as clients get it. */
export function blockReply(certified: CertifiedBlock): BlockReply {
  const { header } = Block.decode(certified.block);
  const { height, network } = BlockHeader.decode(header);
  return { height, digest: headerDigest(header, network), certified };
}

async function orUndefined<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (hasCode(error, 'ERR_BLOCK_NOT_FOUND')) return undefined;
    throw error;
  }
}
