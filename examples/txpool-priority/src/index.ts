import {
  Application,
  Chain,
  P2p,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  packageVersion,
  serveTxPool,
} from '@it-chain/contracts';
import { PriorityConfig } from './priority-config.js';
import { inOrder } from './priority-order.js';

export { inOrder, type OrderOptions, type Ordered } from './priority-order.js';
export { PriorityConfig } from './priority-config.js';

/** The plugin: the role txpool with an order of its own. */
export default definePlugin({
  name: 'txpool-priority',
  version: packageVersion(import.meta.url),
  provides: [TxPool],
  requires: [Storage],
  uses: [Application, P2p, Transport, Chain],
  config: PriorityConfig,
  setup(context) {
    const { first, firstShare } = context.config;
    const chosen = new Set(first);
    const isFirst = (sender: string): boolean => chosen.has(sender);
    return serveTxPool(context, (waiting, { maxCount, maxBytes }) =>
      inOrder(waiting, { maxCount, maxBytes, firstShare, isFirst }),
    );
  },
});
