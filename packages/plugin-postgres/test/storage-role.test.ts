import { NAMESPACES, type Write } from '@it-chain/contracts';
import { testStorage } from '@it-chain/testkit';
import { StoreUnderTest } from './support/store.js';
import { withDatabase } from './support/server.js';

withDatabase('PostgresStorage as the storage role', (url) => {
  const make = async () => {
    const store = await StoreUnderTest.make(url);
    const storage = await store.open();
    return {
      storage,
      reopen: async () => {
        await store.closeAll();
        return store.open();
      },
      // The process is gone: its connections break, the database itself runs on. The server's own crash is tested apart.
      crash: async () => {
        await store.cutConnections();
        await store.closeAll();
        return store.open();
      },
      readDamaged: async ({ namespace, key }: Write) => {
        await store.sql(
          `UPDATE ${store.schema}.entries SET value = set_byte(value, 11, get_byte(value, 11) # 4) WHERE namespace = $1 AND key = $2`,
          [NAMESPACES.indexOf(namespace) + 1, Buffer.from(key)],
        );
        return storage.read({ namespace, keys: [key] });
      },
      openLost: async () => {
        await store.closeAll();
        await store.sql(`DROP SCHEMA ${store.schema} CASCADE`);
        return store.open();
      },
      dispose: () => store.dispose(),
    };
  };
  testStorage(make, make);
});
