import { testTransport } from '@it-chain/testkit';
import plugin from '@it-chain/plugin-gateway';

const doors = { peers: { listen: '127.0.0.1:0' }, api: { listen: '127.0.0.1:0' } };

describe('the plugin gateway as the transport role', () => {
  const limits = { sendBytes: 1024 * 1024 };
  testTransport(plugin, {
    config: doors,
    budget: { config: { ...doors, peers: { ...doors.peers, limits } }, bytes: limits.sendBytes },
  });
});
