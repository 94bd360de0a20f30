import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-p2p';

describe('the plugin p2p', () => {
  testPlugin(plugin);
});
