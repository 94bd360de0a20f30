import chain from '@it-chain/plugin-chain';
import consensus from '@it-chain/plugin-consensus';
import kv from '@it-chain/plugin-kv';
import p2p from '@it-chain/plugin-p2p';
import txpool from '@it-chain/plugin-txpool';
import type { Plugin } from '@it-chain/contracts';
import type { SimulatedPlugin } from '@it-chain/testkit';

/** Everything that a node ships with but gRPC, AMQP and LevelDB, with the times of a devnet, in the order of the roles. */
export const shippedPlugins: readonly SimulatedPlugin[] = [
  section(kv, {}),
  section(p2p, { settleMs: 100, minPauseMs: 200, maxPauseMs: 2_000, reconcileMs: 500, genesis: { admission: 'open' } }),
  section(txpool, { spread: { retryMs: 200, maxRetryMs: 2_000 } }),
  section(chain, { networkPollMs: 200 }),
  section(consensus, {
    baseTimeoutMs: 500,
    maxTimeoutMs: 4_000,
    pollMs: 500,
    promotion: { healthyMs: 200, retryMs: 2_000 },
  }),
];

function section(plugin: Plugin, config: object): SimulatedPlugin {
  return { plugin, config: plugin.config?.parse(config) };
}
