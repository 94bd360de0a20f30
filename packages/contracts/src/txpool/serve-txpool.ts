import { ChainTip, Chain } from '../roles/chain.js';
import { Application } from '../roles/application.js';
import { P2p } from '../roles/p2p.js';
import { Storage } from '../roles/storage.js';
import { Transport } from '../roles/transport.js';
import { TxPool } from '../roles/txpool.js';
import { chainKeys } from '../data/keyspace.js';
import { messageOf } from '../errors/it-chain-error.js';
import type { Cancel } from '../plugin/clock.js';
import type { PluginContext, Running } from '../plugin/plugin.js';
import { OrderedPool } from './ordered-pool.js';
import { PeerDoor } from './peer-door.js';
import { PeerFeeds } from './peer-feeds.js';
import { PoolLog } from './pool-log.js';
import type { PoolOrder } from './pool-order.js';
import type { PoolSettings } from './pool-settings.js';

/**
 * Serves the role txpool with an order of one's own; everything else is as the role promises: what is answered as pending
 * is on disk, limits, signatures, expiry, restarts, and every transaction reaches every connected member. Call it in
 * `setup` and give its result back. The manifest has `provides: [TxPool]`, `requires: [Storage]` and
 * `uses: [Application, Chain, P2p, Transport]`.
 *
 * It is simple where a pool for the highest load is not: one submit at a time (its signatures are verified off the event
 * loop, the next submit waits), `take` shows the order everything that waits, what a peer sends is passed on at once, and
 * reasons of rejections are forgotten at a restart.
 */
export function serveTxPool(context: PluginContext<PoolSettings>, order: PoolOrder): Running {
  const { config, clock, log } = context;
  const [storage, transport] = [context.use(Storage), context.use(Transport)];
  const pool = new OrderedPool(
    { ...config, order },
    {
      log: new PoolLog({ storage }),
      p2p: context.use(P2p),
      application: context.use(Application),
      clock,
      verify: (checks) => context.verify(checks),
      emit: (notice, body) => context.emit(notice, body),
      onAccepted: () => feeds.wake(),
    },
  );
  const feeds = new PeerFeeds(config, { waiting: () => pool.waiting.values(), transport, clock, log });
  const door = new PeerDoor({ transport, log, accept: (transactions, from) => pool.accept(transactions, from) });
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
  context.serve(TxPool, pool);
  context.on(Chain.events.proposed, (proposed) => pool.proposed(proposed));
  context.on(Chain.events.committed, (committed) => pool.committed(committed));
  context.on(P2p.events.leaderUpdated, ({ publicKey }) => pool.leader(publicKey !== undefined));
  context.on(P2p.events.founded, () => look());
  context.on(Transport.events.connected, ({ nodeId }) => feeds.connect(nodeId));
  context.on(Transport.events.disconnected, ({ nodeId }) => feeds.disconnect(nodeId));
  // Not waited for: the batch of one peer must not hold up another's.
  context.on(Transport.events.asked, (asked) => void door.answer(asked));
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
}
