import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/example-txpool-priority';

describe('the plugin txpool-priority', () => {
  testPlugin(plugin);
});
