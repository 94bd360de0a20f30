import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-consensus';

describe('the plugin consensus', () => {
  testPlugin(plugin);
});
