import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-kv';

describe('the plugin kv', () => {
  testPlugin(plugin);
});
