import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-postgres';
import { withDatabase } from './support/server.js';
import { StoreUnderTest } from './support/store.js';

withDatabase('the plugin postgres', (url) => {
  const schema = `test_plugin_${process.pid}`;
  // The suite gives each test a data directory of its own, and with it a store that this schema must not know yet.
  afterEach(async () => {
    const store = await StoreUnderTest.make(url);
    await store.sql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await store.dispose();
  });
  testPlugin(plugin, { config: { url, schema, reconnectMs: 500, connectMs: 500 } });
});
