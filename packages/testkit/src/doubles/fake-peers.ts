import { failure, Genesis, sha256, utf8, type P2p, type Transport } from '@it-chain/contracts';
import { unused } from './fake-chain.js';
import type { FakeLedger } from './fake-ledger.js';

/** The peer table of a fake node, and its founding. */
export function fakeP2p(node: FakeLedger): P2p {
  const encoded = Genesis.encode(node.genesis);
  return {
    join: async () => {
      node.found();
      return { network: node.network, nodeId: node.nodeId, transaction: sha256(utf8('join')), voted: false };
    },
    found: async () => {
      node.found();
      return { genesis: encoded };
    },
    list: async () => ({ peers: node.peers }),
    leader: async () =>
      node.founded
        ? { publicKey: node.keys.publicKey, nodeId: node.nodeId, height: node.height + 1, round: 0 }
        : { nodeId: '', height: 0, round: 0 },
    network: async () => (node.founded ? { genesis: encoded } : { candidate: encoded }),
  } satisfies Partial<P2p> as P2p;
}

/** The wires of a fake node: everybody but 127.0.0.1:1 answers, as this node itself. */
export function fakeTransport(node: FakeLedger): Transport {
  return {
    announce: async () => ({}),
    deliver: async () => ({ peers: 0 }),
    fetch: unused,
    answer: async () => ({}),
    sessions: async () => ({ sessions: [] }),
    dial: async ({ address }) => {
      if (address === '127.0.0.1:1') throw failure('ERR_PEER_UNREACHABLE', `nobody answers at ${address}`);
      return {
        nodeId: node.nodeId,
        publicKey: node.keys.publicKey,
        address,
        direction: 'outbound' as const,
        since: 0,
        hello: {
          network: node.network,
          genesis: new Uint8Array(0),
          height: 0,
          name: '',
          addresses: [],
          candidate: new Uint8Array(0),
          leader: new Uint8Array(0),
        },
      };
    },
    disconnect: async ({ nodeId }) => {
      if (!node.peers.some((peer) => peer.nodeId === nodeId)) {
        throw failure('ERR_PEER_NOT_CONNECTED', `there is no session to ${nodeId}`);
      }
      return {};
    },
    status: async () => ({ listening: '127.0.0.1:7000', advertised: '127.0.0.1:7000', insecure: false }),
  } satisfies Partial<Transport> as Transport;
}
