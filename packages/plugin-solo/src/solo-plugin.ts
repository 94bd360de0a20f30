import { Chain, Consensus, Identity, P2p, Storage, TxPool, definePlugin, packageVersion } from '@it-chain/contracts';
import { SoloConfig } from './solo-config.js';
import { SoloConsensus } from './solo-consensus.js';

/** The plugin: wiring only. */
export const soloPlugin = definePlugin({
  name: 'solo',
  version: packageVersion(import.meta.url),
  provides: [Consensus],
  requires: [Identity, Storage, P2p, TxPool, Chain],
  config: SoloConfig,
  setup(context) {
    const solo = new SoloConsensus(context, {
      chain: context.use(Chain),
      identity: context.use(Identity),
      p2p: context.use(P2p),
      storage: context.use(Storage),
      txpool: context.use(TxPool),
    });
    context.serve(Consensus, {
      status: () => Promise.resolve(solo.status()),
      // Nobody votes here, so nobody votes twice.
      evidence: () => Promise.resolve({ entries: [] }),
    });
    context.on(TxPool.events.accepted, () => solo.accepted());
    context.on(P2p.events.founded, () => solo.look());
    return { start: () => solo.start(), stop: () => solo.stop() };
  },
});
