import { Application, Storage, definePlugin, packageVersion, z } from '@it-chain/contracts';
import { KvApplication } from './kv-application.js';

/** The config section of the plugin. */
export const KvConfig = z
  .strictObject({
    cachePages: z
      .int()
      .min(64)
      .max(1_000_000)
      .default(8_192)
      .describe('Pages of the state tree kept in memory, of 0.5 to 3 KiB each'),
  })
  .prefault({});

/** The plugin that serves the application role as a key-value state machine. */
export const kvPlugin = definePlugin({
  name: 'kv',
  version: packageVersion(import.meta.url),
  provides: [Application],
  requires: [Storage],
  config: KvConfig,
  setup(context) {
    context.serve(Application, new KvApplication(context.config, { storage: context.use(Storage) }));
  },
});
