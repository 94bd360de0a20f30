import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-solo';

describe('the plugin solo', () => {
  testPlugin(plugin);
});
