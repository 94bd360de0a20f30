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
import { ConsensusConfig } from './config.js';
import { ConsensusDriver } from './driver/consensus-driver.js';

/** The plugin: wiring only. */
export const consensusPlugin = definePlugin({
  name: 'consensus',
  version: packageVersion(import.meta.url),
  provides: [Consensus],
  requires: [Identity, Storage, Transport, P2p, TxPool, Chain],
  config: ConsensusConfig,
  setup(context) {
    const driver = new ConsensusDriver(context, {
      chain: context.use(Chain),
      identity: context.use(Identity),
      p2p: context.use(P2p),
      storage: context.use(Storage),
      transport: context.use(Transport),
      txpool: context.use(TxPool),
    });
    context.serve(Consensus, {
      status: () => Promise.resolve(driver.status()),
      evidence: () => Promise.resolve(driver.evidence()),
    });
    context.on(Transport.events.received, (message) => driver.onMessage(message));
    context.on(Transport.events.connected, ({ nodeId, publicKey }) => driver.onConnected(nodeId, publicKey));
    context.on(Transport.events.disconnected, ({ nodeId }) => driver.onDisconnected(nodeId));
    context.on(TxPool.events.accepted, () => driver.onAccepted());
    context.on(Chain.events.committed, ({ height }) => driver.onCommitted(height));
    context.on(P2p.events.founded, () => driver.onFounded());
    return { start: () => driver.start(), stop: () => driver.stop() };
  },
});
