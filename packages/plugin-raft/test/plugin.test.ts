import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-raft';

describe('the plugin raft', () => {
  testPlugin(plugin);
});
