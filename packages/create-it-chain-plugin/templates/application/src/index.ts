import { Application, Storage, definePlugin, z } from '@it-chain/contracts';
import { Tally } from './tally.js';

/** The section `with` of the plugin. Nothing in it may change what a block does: that would split the network. */
export const Config = z
  .strictObject({
    maxNameBytes: z.int().min(1).max(32).default(32).describe('Longest name this node lets into its pool, in bytes'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  provides: [Application],
  requires: [Storage],
  config: Config,
  setup(context) {
    context.serve(Application, new Tally(context.config, context.use(Storage)));
  },
});
