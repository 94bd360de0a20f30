import { testTxPool } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-txpool';

describe('the plugin txpool as the txpool role', () => {
  testTxPool(plugin, {
    limits: {
      total: { config: { maxCount: 3 }, most: 3 },
      perSender: { config: { maxPerSender: 2 }, most: 2 },
    },
  });
});
