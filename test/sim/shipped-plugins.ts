import chain from '@it-chain/plugin-chain';
import consensus from '@it-chain/plugin-consensus';
import kv from '@it-chain/plugin-kv';
import p2p from '@it-chain/plugin-p2p';
import txpool from '@it-chain/plugin-txpool';
import type { Plugin } from '@it-chain/contracts';
import type { NodePlan, NodesUnderTest, SimulatedPlugin } from '@it-chain/testkit';
import { shippedMachine } from './shipped-machine.js';

/** With the times of a devnet; snapshots so often that late joiners begin with one. */
const plugins = ({ accuse }: NodePlan): readonly SimulatedPlugin[] => [
  section(kv, {}),
  section(p2p, { settleMs: 100, minPauseMs: 200, maxPauseMs: 2_000, reconcileMs: 500, genesis: { admission: 'open' } }),
  section(txpool, { spread: { retryMs: 200, maxRetryMs: 2_000 } }),
  section(chain, { networkPollMs: 200, snapshots: { everyBlocks: 8 } }),
  section(consensus, {
    baseTimeoutMs: 500,
    maxTimeoutMs: 4_000,
    pollMs: 500,
    snapshotAfterBlocks: 12,
    complaint: { waitMs: 3_000 },
    promotion: { healthyMs: 200, retryMs: 2_000 },
    accuse: { enabled: accuse, retryMs: 2_000 },
  }),
];

/** Everything that a node ships with but gRPC, AMQP and LevelDB, in the order of the roles. */
export const shippedNodes: NodesUnderTest = { plugins, speech: shippedMachine };

function section(plugin: Plugin, config: object): SimulatedPlugin {
  return { plugin, config: plugin.config?.parse(config) };
}
