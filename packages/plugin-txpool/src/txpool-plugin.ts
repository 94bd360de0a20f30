import {
  Application,
  Chain,
  P2p,
  PEER_KINDS,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  packageVersion,
  type PluginContext,
} from '@it-chain/contracts';
import { NetworkView } from './network-view.js';
import { PeerInbox } from './peer-inbox.js';
import { PoolStore } from './pool-store.js';
import { Room } from './room.js';
import { Spreader } from './spreader.js';
import { TransactionPool } from './transaction-pool.js';
import { TxPoolConfig } from './txpool-config.js';
import { Upkeep } from './upkeep.js';

/** The plugin that serves the role `txpool`. */
export const txpoolPlugin = definePlugin({
  name: 'txpool',
  version: packageVersion(import.meta.url),
  provides: [TxPool],
  requires: [Storage],
  uses: [Application, P2p, Transport, Chain],
  config: TxPoolConfig,
  setup(context) {
    const { config, clock, log } = context;
    const storage = context.use(Storage);
    const transport = context.use(Transport);
    const store = new PoolStore(config, { storage, failpoint: context.failpoint });
    const view = new NetworkView({ p2p: context.use(P2p), storage, log });
    const pool = makePool(context, store, view, () => {
      spreader.wake();
    });
    const spreader = new Spreader(config.spread, { pending: pool.pending, transport, clock, log });
    const inbox = new PeerInbox(config.spread, {
      transport,
      accept: (transactions, from) => pool.accept(transactions, from),
      log,
    });
    const upkeep = new Upkeep(config, { pool, store, view, spreader, transport, clock, log });
    context.serve(TxPool, pool);
    listen(context, { pool, spreader, inbox, upkeep });
    return {
      start: async () => {
        await pool.load();
        upkeep.start();
      },
      stop: async () => {
        upkeep.stop();
        spreader.stop();
      },
    };
  },
});

function makePool(
  context: PluginContext<TxPoolConfig>,
  store: PoolStore,
  view: NetworkView,
  onAccepted: () => void,
): TransactionPool {
  const { config, clock, log, metrics } = context;
  return new TransactionPool(config, {
    store,
    room: new Room(config),
    view,
    application: context.use(Application),
    clock,
    log,
    metrics,
    onAccepted,
    verify: (checks) => context.verify(checks),
    emit: (notice, body) => context.emit(notice, body),
  });
}

interface Listeners {
  readonly pool: TransactionPool;
  readonly spreader: Spreader;
  readonly inbox: PeerInbox;
  readonly upkeep: Upkeep;
}

function listen(context: PluginContext<TxPoolConfig>, { pool, spreader, inbox, upkeep }: Listeners): void {
  context.on(Chain.events.proposed, (proposed) => {
    pool.proposed(proposed);
  });
  context.on(Chain.events.committed, (committed) => pool.committed(committed));
  context.on(P2p.events.leaderUpdated, (leader) => {
    pool.leader(leader);
  });
  context.on(P2p.events.founded, () => upkeep.look());
  context.on(Transport.events.connected, ({ nodeId }) => {
    spreader.connect(nodeId);
  });
  context.on(Transport.events.disconnected, ({ nodeId }) => {
    spreader.disconnect(nodeId);
    inbox.disconnect(nodeId);
  });
  context.on(Transport.events.asked, (asked) => {
    // Not waited for: the batch of one peer must not hold up another's. The inbox bounds what is under way.
    if (asked.kind === PEER_KINDS.transactions) void inbox.answer(asked);
  });
}
