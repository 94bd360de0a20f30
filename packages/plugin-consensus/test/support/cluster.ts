import type { Genesis } from '@it-chain/contracts';
import { ConsensusCluster, type ConsensusClusterNode } from '@it-chain/testkit';
import { ConsensusConfig, consensusPlugin } from '@it-chain/plugin-consensus';

export type ClusterNode = ConsensusClusterNode<ConsensusConfig>;

/** Nodes of this plugin on doubles of all other roles. */
export class Cluster extends ConsensusCluster<ConsensusConfig> {
  constructor(
    names: readonly string[],
    config: Record<string, unknown> = {},
    validators = names.length,
    growth: Genesis['growth'] = 'skip-two',
    leaderTerm = 0,
  ) {
    super(consensusPlugin, ConsensusConfig.parse(config), names, { validators, growth, leaderTerm });
  }
}

export const idOf = (node: ClusterNode): string => node.context.identity.nodeId;
