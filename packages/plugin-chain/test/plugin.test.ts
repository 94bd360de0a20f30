import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-chain';

describe('the plugin chain', () => {
  testPlugin(plugin);
});
