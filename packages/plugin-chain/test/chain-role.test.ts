import { testChain } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-chain';

describe('the plugin chain as the chain role', () => {
  testChain(plugin, { snapshots: { snapshots: { everyBlocks: 3 }, peerRequestsPerSecond: 10_000 } });
});
