import { Chain, Consensus, Identity, Storage, TxPool, definePlugin, serveConsensus, z } from '@it-chain/contracts';
import { OneDecides } from './one-decides.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    pollMs: z.int().min(10).max(60_000).default(1_000).describe('Pause between two looks for work, in ms'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  provides: [Consensus],
  requires: [Identity, Storage, TxPool, Chain],
  config: Config,
  setup(context) {
    const roles = { chain: context.use(Chain), identity: context.use(Identity), storage: context.use(Storage) };
    return serveConsensus(context, new OneDecides(context.identity, roles), context.config);
  },
});
