import { testPlugin, testTxPool } from '@it-chain/testkit';
import plugin from '@it-chain/example-txpool-priority';

describe('the plugin txpool-priority', () => {
  testPlugin(plugin);
});

describe('the plugin txpool-priority as the txpool role', () => {
  // Its order is what it is for: not by arrival, and not the same share for every sender.
  testTxPool(plugin, { fair: false });
});
