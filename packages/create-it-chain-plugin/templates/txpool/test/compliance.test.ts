import { testPlugin, testTxPool } from '@it-chain/testkit';
import plugin from '../src/index.js';

describe('my-plugin', () => {
  testPlugin(plugin);
});

describe('my-plugin as the txpool role', () => {
  testTxPool(plugin, {
    // Its order is what it is for, so the order of the role (X2) is not asked for.
    fair: false,
    limits: {
      total: { config: { maxCount: 3 }, most: 3 },
      perSender: { config: { maxPerSender: 2 }, most: 2 },
    },
  });
});
