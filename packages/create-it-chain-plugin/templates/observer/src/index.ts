import { Chain, definePlugin, followBlocks, z } from '@it-chain/contracts';
import { join } from 'node:path';
import { Journal } from './journal.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    file: z
      .string()
      .regex(/^\w[\w.-]{0,63}$/)
      .default('blocks.jsonl')
      .describe('Name of the file, in the data directory of the plugin'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  requires: [Chain],
  config: Config,
  // Every block from the first on, in order and without a gap, also after this node was away.
  setup: (context) => followBlocks(context, () => new Journal(join(context.dataDir(), context.config.file))),
});
