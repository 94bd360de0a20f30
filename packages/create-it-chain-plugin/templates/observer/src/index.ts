import { Chain, definePlugin, z } from '@it-chain/contracts';
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
  setup(context) {
    const chain = context.use(Chain);
    let journal: Journal | undefined;
    const follow = () => journal?.follow() ?? Promise.resolve();
    // An event is a hint and may be lost: it only says that it is worth looking. The chain is the truth.
    context.on(Chain.events.committed, follow);
    return {
      start: () => {
        journal = new Journal(join(context.dataDir(), context.config.file), chain);
        return follow();
      },
      stop: () => journal?.finished(),
    };
  },
});
