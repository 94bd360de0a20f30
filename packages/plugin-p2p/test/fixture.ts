import type { Plugin } from '@it-chain/contracts';
import { PeerNet, type PeerNetNode } from '@it-chain/testkit';
import p2p from '@it-chain/plugin-p2p';

/** Nodes of the shipped plugin. */
export class Net extends PeerNet {
  constructor() {
    super(p2p as unknown as Plugin);
  }
}

export type Node = PeerNetNode;

/** Names of those that `peer list` shows as connected. */
export const connectedNames = (node: Node): Promise<string[]> => node.connected();
