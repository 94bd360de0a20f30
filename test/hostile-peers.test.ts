import { expect } from 'chai';
import { sha256, utf8 } from '@it-chain/contracts';
import { ForeignPeer } from './support/foreign-peer.js';
import { put, sameTip, startNetwork, type Network } from './support/network.js';
import type { NodeProcess } from './support/node-process.js';
import { until } from './support/until.js';

describe('peers that break the rules', function () {
  this.timeout(600_000);
  let network: Network;
  let nodes: readonly NodeProcess[];
  let node: NodeProcess;
  const strangers: ForeignPeer[] = [];
  const stranger = (...args: ConstructorParameters<typeof ForeignPeer>): ForeignPeer => {
    const peer = new ForeignPeer(...args);
    strangers.push(peer);
    return peer;
  };

  before(async () => {
    network = await startNetwork(3);
    nodes = network.nodes;
    node = nodes[0]!;
  });
  after(async () => {
    for (const peer of strangers) peer.close();
    await network.remove();
  });

  /** The node and its two peers are as they were. */
  const undisturbed = async (): Promise<void> => {
    const { height } = await put(node, `still-${Date.now()}`, 'alive');
    await sameTip(nodes, height);
    for (const one of nodes) {
      const peers = await one.client.peers();
      const connected = peers.filter(({ connected: open }) => open).map(({ nodeId }) => nodeId);
      expect(connected).to.include.members(nodes.filter((other) => other !== one).map(({ nodeId }) => nodeId));
    }
  };

  it('another version of the protocol is refused with ERR_PEER_VERSION', async () => {
    expect(await stranger(node.peer, 'version', { version: 2 }).goodbye()).to.equal('ERR_PEER_VERSION');
    await undisturbed();
  });

  it('a forged signature of the handshake is refused with ERR_PEER_HANDSHAKE', async () => {
    expect(await stranger(node.peer, 'forger', { forged: true }).goodbye()).to.equal('ERR_PEER_HANDSHAKE');
    await undisturbed();
  });

  it('a proven peer that announces more than a message may hold is refused with ERR_PEER_TOO_LARGE', async () => {
    const peer = stranger(node.peer, 'large');
    await until('the session', async () =>
      (await node.client.peers()).some(({ nodeId, connected }) => nodeId === peer.nodeId && connected),
    );
    peer.bulk.write({
      start: {
        type: 'message',
        kind: 'blocks',
        id: 0,
        size: 5 * 1024 * 1024,
        timeoutMs: 0,
        errorCode: '',
        errorMessage: '',
        data: new Uint8Array(1),
      },
    });
    expect(await peer.goodbye()).to.equal('ERR_PEER_TOO_LARGE');
    await undisturbed();
  });

  it('votes, blocks and transactions of a proven peer that are noise change nothing', async () => {
    const peer = stranger(node.peer, 'noise');
    await until('the session', async () =>
      (await node.client.peers()).some(({ nodeId, connected }) => nodeId === peer.nodeId && connected),
    );
    for (const kind of ['consensus', 'p2p', 'pool', 'chain', 'no such kind']) {
      for (let round = 0; round < 20; round += 1) {
        const data = sha256(utf8(`${kind} ${round}`));
        const start = { kind, id: 0, size: data.length, timeoutMs: 0, errorCode: '', errorMessage: '', data };
        peer.control.write({ start: { type: 'message', ...start } });
        peer.bulk.write({ start: { type: 'message', ...start } });
      }
    }
    await undisturbed();
    peer.close();
  });
});
