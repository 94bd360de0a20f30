import { Storage, definePlugin, failure, messageOf, z } from '@it-chain/contracts';
import { join } from 'node:path';
import { JournalStorage } from './journal-storage.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    sync: z.boolean().default(true).describe('Wait for the disk where a write asks for it; false only for tests'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  provides: [Storage],
  config: Config,
  setup(context) {
    let store: JournalStorage | undefined;
    const opened = () => store ?? Promise.reject(failure('ERR_STORAGE_CLOSED', 'the store is not open'));
    context.serve(Storage, {
      read: async (request) => (await opened()).read(request),
      range: async (request) => (await opened()).range(request),
      write: async (request) => (await opened()).write(request),
      verify: async () => (await opened()).verify(),
    });
    return {
      start: async () => {
        const made = join(context.node.dataDir, 'my-plugin.made');
        store = await JournalStorage.open(join(context.dataDir(), 'journal'), made, context.config);
        // A disk that fails in the middle of a line must not be written to again.
        store.onFailure = (error) => context.fatal('io', failure('ERR_STORAGE_IO', messageOf(error), { cause: error }));
      },
      stop: async () => {
        await store?.close();
        store = undefined;
      },
    };
  },
});
