import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-leveldb';

describe('the plugin leveldb', () => {
  testPlugin(plugin);
});
