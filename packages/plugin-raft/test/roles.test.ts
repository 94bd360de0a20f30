import { majorityOf } from '@it-chain/contracts';
import { testConsensus, testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-raft';

describe('the plugin raft', () => {
  testPlugin(plugin);
});

describe('the plugin raft as the consensus role', () => {
  testConsensus(plugin, { nodes: [1, 3], quorum: majorityOf, mayBeDown: (nodes) => Math.floor((nodes - 1) / 2) });
});
