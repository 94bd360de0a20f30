import { Storage, definePlugin, packageVersion, serveStore, toHex } from '@it-chain/contracts';
import { PostgresConfig } from './postgres-config.js';
import { PostgresStorage } from './postgres-storage.js';

/** The plugin that serves the storage role on PostgreSQL. */
export const postgresPlugin = definePlugin({
  name: 'postgres',
  version: packageVersion(import.meta.url),
  provides: [Storage],
  config: PostgresConfig,
  setup(context) {
    const { log, clock, config, identity } = context;
    return serveStore(context, async (failing) => {
      const schema = config.schema ?? `it_chain_${toHex(identity.publicKey.subarray(0, 8))}`;
      const storage = await PostgresStorage.open(
        { ...config, schema, directory: context.dataDir() },
        { clock, log, failing, random: (length) => context.random(length) },
      );
      log.info('the store is open', { schema });
      return storage;
    });
  },
});
