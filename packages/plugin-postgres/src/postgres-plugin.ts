import { Storage, definePlugin, failure, hasCode, isItChainError, packageVersion, toHex } from '@it-chain/contracts';
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
    const queued = context.metrics.gauge('storage_queued_bytes', 'Bytes of writes that wait');
    const writeSeconds = context.metrics.histogram('storage_write_seconds', 'Time from a write to its answer', {
      labels: ['sync'],
    });
    let storage: PostgresStorage | undefined;
    const opened = (): PostgresStorage => {
      if (storage === undefined) throw failure('ERR_STORAGE_CLOSED', 'the store is not open', { retryable: true });
      return storage;
    };
    const failing = (error: Error): void => {
      const { code, message } = isItChainError(error) ? error : failure('ERR_STORAGE_IO', error.message);
      log.error('the store is failing', { code, reason: message });
      context.health({ state: 'failing', reason: message });
      void context.emit(Storage.events.failing, { code, message });
      context.fatal(hasCode(error, 'ERR_STORAGE_DAMAGED') ? 'damaged' : 'io', error);
    };
    context.serve(Storage, {
      read: async (request) => opened().read(request),
      range: async (request) => opened().range(request),
      write: async (request) => {
        const started = clock.monotonic();
        const answer = await opened().write(request);
        writeSeconds.observe((clock.monotonic() - started) / 1_000, { sync: String(request.sync) });
        queued.set(storage?.queuedBytes ?? 0);
        return answer;
      },
      verify: async () => opened().verify(),
    });
    return {
      async start() {
        const schema = config.schema ?? `it_chain_${toHex(identity.publicKey.subarray(0, 8))}`;
        storage = await PostgresStorage.open(
          { ...config, schema, directory: context.dataDir() },
          { clock, log, failing, random: (length) => context.random(length) },
        );
        log.info('the store is open', { schema });
      },
      async stop() {
        await storage?.close();
        storage = undefined;
      },
    };
  },
});
