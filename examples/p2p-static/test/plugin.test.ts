import { toHex } from '@it-chain/contracts';
import { FakeNode, testP2p, testPlugin } from '@it-chain/testkit';
import plugin from '@it-chain/example-p2p-static';

describe('the plugin p2p-static', () => {
  // The suite runs the plugin as this node; its peer never answers.
  const keys = [new FakeNode().keys.publicKey, new FakeNode('another').keys.publicKey];
  const members = keys.map((publicKey) => ({ publicKey: toHex(publicKey), address: '127.0.0.1:1' }));
  testPlugin(plugin, { config: { network: 'test', members } });
});

describe('the plugin p2p-static as the p2p role', () => {
  testP2p(plugin, {
    fixedMembers: true,
    config: ({ members }) => ({
      network: 'test',
      members: members.map(({ name, publicKey, address }) => ({ name, publicKey: toHex(publicKey), address })),
    }),
  });
});
