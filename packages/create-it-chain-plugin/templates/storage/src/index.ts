import { Storage, definePlugin, serveStorage, storageSettings, z } from '@it-chain/contracts';
import { join } from 'node:path';
import { Journal } from './journal.js';

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  provides: [Storage],
  config: z.strictObject(storageSettings).prefault({}),
  setup: (context) =>
    serveStorage(context, () =>
      Journal.open(join(context.dataDir(), 'journal'), join(context.node.dataDir, 'my-plugin.made')),
    ),
});
