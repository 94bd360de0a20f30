import { testConsensus } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-consensus';

describe('the plugin consensus as the consensus role', () => {
  testConsensus(plugin, { nodes: [1, 4], byzantine: true });
});
