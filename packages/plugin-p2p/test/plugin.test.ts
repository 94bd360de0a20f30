import { keyPairFromSeed, nodeIdOf, sha256, utf8 } from '@it-chain/contracts';
import { testPlugin } from '@it-chain/testkit';
import { expect } from 'chai';
import { P2pConfig } from '../dist/p2p-config.js';
import plugin from '@it-chain/plugin-p2p';

describe('the plugin p2p', () => {
  testPlugin(plugin);

  it('takes addresses to dial only where they are some', () => {
    const id = nodeIdOf(keyPairFromSeed(sha256(utf8('somebody'))).publicKey);
    const takes = (address: string): boolean => P2pConfig.safeParse({ dial: [address] }).success;
    for (const address of ['10.0.0.1:7000', 'node-1.example.org:1', '[::1]:65535', `${id}@10.0.0.1:7000`]) {
      expect(takes(address), address).to.equal(true);
    }
    for (const address of [
      '',
      'nowhere',
      'host:',
      ':7000',
      'host:0',
      'host:65536',
      'http://host:7000',
      'me@host:7000',
      'a b:1',
    ]) {
      expect(takes(address), address).to.equal(false);
    }
  });
});
