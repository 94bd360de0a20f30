import type { Cancel } from '../plugin/clock.js';
import type { PluginContext, Running } from '../plugin/plugin.js';
import { Chain } from '../roles/chain.js';
import { Consensus } from '../roles/consensus.js';
import { TxPool } from '../roles/txpool.js';
import { DecisionLoop, type DecisionEngine } from './decision-loop.js';

/** Pause between two looks for work, should an event have been lost, in ms. */
const POLL_MS = 1_000;

/**
 * Serves the role consensus with an engine of one's own: it is asked whenever there is work, one height after the other.
 * Call it in `setup` and give its result back. The manifest has `provides: [Consensus]` and requires `Chain`, `TxPool` and
 * what the engine itself calls.
 */
export function serveConsensus(
  context: PluginContext,
  engine: DecisionEngine,
  { pollMs = POLL_MS }: { readonly pollMs?: number } = {},
): Running {
  const loop = new DecisionLoop(context, { engine, chain: context.use(Chain), txpool: context.use(TxPool) });
  context.serve(Consensus, {
    status: () => loop.status(),
    evidence: () => engine.evidence?.() ?? Promise.resolve({ entries: [] }),
  });
  context.on(TxPool.events.accepted, () => loop.look());
  context.on(Chain.events.committed, () => loop.look());
  let cancel: Cancel = () => undefined;
  return {
    start() {
      cancel = context.clock.every(pollMs, () => loop.look());
      loop.look();
    },
    stop() {
      cancel();
      return loop.stop();
    },
  };
}
