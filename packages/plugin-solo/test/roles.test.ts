import { testConsensus, testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-solo';

describe('the plugin solo', () => {
  testPlugin(plugin);
});

describe('the plugin solo as the consensus role', () => {
  testConsensus(plugin, { nodes: [1] });
});
