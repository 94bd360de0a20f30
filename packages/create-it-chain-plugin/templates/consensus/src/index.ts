import { Chain, Consensus, Identity, Storage, TxPool, definePlugin, z } from '@it-chain/contracts';
import { OneDecides } from './one-decides.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    pollMs: z
      .int()
      .min(10)
      .max(60_000)
      .default(1_000)
      .describe('Pause between two looks for work, should an event get lost'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  provides: [Consensus],
  requires: [Identity, Storage, TxPool, Chain],
  config: Config,
  setup(context) {
    const engine = new OneDecides(context, {
      chain: context.use(Chain),
      identity: context.use(Identity),
      storage: context.use(Storage),
      txpool: context.use(TxPool),
    });
    context.serve(Consensus, { status: () => engine.status(), evidence: async () => ({ entries: [] }) });
    context.on(TxPool.events.accepted, () => engine.look());
    let cancel = () => {};
    return {
      start: () => {
        cancel = context.clock.every(context.config.pollMs, () => void engine.look());
        void engine.look();
      },
      stop: () => {
        cancel();
        return engine.stop();
      },
    };
  },
});
