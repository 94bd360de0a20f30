import {
  Application,
  Chain,
  ChainTip,
  P2p,
  Storage,
  Transport,
  TxPool,
  chainKeys,
  definePlugin,
  messageOf,
  packageVersion,
  type Cancel,
} from '@it-chain/contracts';
import { PeerDoor } from './peer-door.js';
import { PeerFeeds } from './peer-feed.js';
import { PoolLog } from './pool-log.js';
import { PriorityConfig } from './priority-config.js';
import { PriorityPool } from './priority-pool.js';

export { inOrder, type OrderOptions, type Ordered } from './priority-order.js';
export { PriorityConfig } from './priority-config.js';
export { PriorityPool, type PriorityPoolDependencies } from './priority-pool.js';
export { PoolLog } from './pool-log.js';

/** The plugin: the role txpool with an order of its own. */
export default definePlugin({
  name: 'txpool-priority',
  version: packageVersion(import.meta.url),
  provides: [TxPool],
  requires: [Storage],
  uses: [Application, P2p, Transport, Chain],
  config: PriorityConfig,
  setup(context) {
    const { config, clock, log } = context;
    const [storage, transport] = [context.use(Storage), context.use(Transport)];
    const pool = new PriorityPool(config, {
      log: new PoolLog({ storage }),
      p2p: context.use(P2p),
      application: context.use(Application),
      clock,
      verify: (checks) => context.verify(checks),
      emit: (notice, body) => context.emit(notice, body),
      onAccepted: () => feeds.wake(),
    });
    const feeds = new PeerFeeds(config, { waiting: () => pool.waiting.values(), transport, clock, log });
    const door = new PeerDoor({ transport, log, accept: (transactions, from) => pool.accept(transactions, from) });
    context.serve(TxPool, pool);
    context.on(Chain.events.proposed, (proposed) => pool.proposed(proposed));
    context.on(Chain.events.committed, (committed) => pool.committed(committed));
    context.on(P2p.events.leaderUpdated, ({ publicKey }) => pool.leader(publicKey !== undefined));
    context.on(P2p.events.founded, () => look());
    context.on(Transport.events.connected, ({ nodeId }) => feeds.connect(nodeId));
    context.on(Transport.events.disconnected, ({ nodeId }) => feeds.disconnect(nodeId));
    // Not waited for: the batch of one peer must not hold up another's.
    context.on(Transport.events.asked, (asked) => void door.answer(asked));
    const look = async (): Promise<void> => {
      try {
        const { values } = await storage.read({ namespace: 'chain', keys: [chainKeys.tip] });
        const tip = values[0]?.value;
        await pool.look(tip === undefined ? 0 : ChainTip.decode(tip).height);
        const { sessions } = await transport.sessions({});
        feeds.reconcile(sessions.map(({ nodeId }) => nodeId));
      } catch (error) {
        log.debug('the pool could not look around; it looks again soon', { reason: messageOf(error) });
      }
    };
    let cancel: Cancel = () => undefined;
    return {
      async start() {
        await pool.load();
        cancel = clock.every(config.lookMs, () => void look());
      },
      stop() {
        cancel();
        feeds.stop();
      },
    };
  },
});
