import {
  Chain,
  Consensus,
  Identity,
  P2p,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  packageVersion,
} from '@it-chain/contracts';
import { RaftDriver } from './driver/raft-driver.js';
import { RaftConfig } from './raft-config.js';

/** The plugin: wiring only. */
export const raftPlugin = definePlugin({
  name: 'raft',
  version: packageVersion(import.meta.url),
  provides: [Consensus],
  requires: [Identity, Storage, Transport, P2p, TxPool, Chain],
  config: RaftConfig,
  setup(context) {
    const driver = new RaftDriver(context, {
      chain: context.use(Chain),
      identity: context.use(Identity),
      p2p: context.use(P2p),
      storage: context.use(Storage),
      transport: context.use(Transport),
      txpool: context.use(TxPool),
    });
    context.serve(Consensus, {
      status: () => Promise.resolve(driver.status()),
      // Raft trusts its validators: it looks for no lie, so it keeps no proof of one.
      evidence: () => Promise.resolve({ entries: [] }),
    });
    context.on(Transport.events.received, (message) => driver.onMessage(message));
    context.on(Transport.events.connected, ({ nodeId, publicKey }) => driver.onConnected(nodeId, publicKey));
    context.on(Transport.events.disconnected, ({ nodeId }) => driver.onDisconnected(nodeId));
    context.on(TxPool.events.accepted, () => driver.onAccepted());
    context.on(Chain.events.committed, ({ height }) => driver.onCommitted(height));
    context.on(P2p.events.founded, () => driver.onFounded());
    return {
      start() {
        context.log.warn('consensus is Raft: it survives validators that crash, not one that lies', {
          hint: 'Use @it-chain/plugin-consensus where the validators belong to different owners.',
        });
        driver.start();
      },
      stop: () => driver.stop(),
    };
  },
});
