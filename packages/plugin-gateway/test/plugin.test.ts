import { testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-gateway';

describe('the plugin gateway', () => {
  testPlugin(plugin, { config: { peers: { listen: '127.0.0.1:0' }, api: { listen: '127.0.0.1:0' } } });
});
