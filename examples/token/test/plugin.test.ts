import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/example-token';

describe('the plugin token', () => {
  testPlugin(plugin);
});
