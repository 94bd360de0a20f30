import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/example-notary';

describe('the plugin notary', () => {
  testPlugin(plugin);
});
