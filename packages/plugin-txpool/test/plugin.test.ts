import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-txpool';

describe('the plugin txpool', () => {
  testPlugin(plugin);
});
