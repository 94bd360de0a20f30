import { testConsensus, testPlugin } from '@it-chain/testkit';
import plugin from '../src/index.js';

describe('my-plugin', () => {
  testPlugin(plugin);
});

describe('my-plugin as the consensus role', () => {
  testConsensus(plugin, { nodes: [1] });
});
