import { Chain, TxPool, definePlugin, z } from '@it-chain/contracts';
import { Voter } from './voter.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    admit: z
      .array(z.hex().length(64).toLowerCase())
      .max(1_000)
      .default([])
      .describe('Public keys (hex) of the nodes it votes for'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  requires: [Chain, TxPool],
  config: Config,
  setup(context) {
    const roles = { chain: context.use(Chain), txpool: context.use(TxPool) };
    const voter = new Voter(new Set(context.config.admit), context, roles);
    // Every committed block may bring a proposal. What goes wrong now is tried again with the next one.
    context.on(Chain.events.committed, () => voter.look());
  },
});
