import { Chain, TxPool, definePlugin, z } from '@it-chain/contracts';
import { Voter } from './voter.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    admit: z
      .array(z.string().regex(/^[0-9a-f]{64}$/, 'a public key, as 64 hex digits'))
      .max(1_000)
      .default([])
      .describe('Public keys of the nodes that this validator votes for'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  requires: [Chain, TxPool],
  config: Config,
  setup(context) {
    const voter = new Voter(new Set(context.config.admit), context, context.use(Chain), context.use(TxPool));
    // Every committed block may bring a proposal. What goes wrong now is tried again with the next one.
    context.on(Chain.events.committed, () => voter.look());
  },
});
