import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-memory';

describe('the plugin memory', () => {
  testPlugin(plugin);
});
