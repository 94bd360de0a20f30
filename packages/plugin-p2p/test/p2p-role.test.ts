import { testP2p } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-p2p';

describe('the plugin p2p as the p2p role', () => {
  testP2p(plugin);
});
