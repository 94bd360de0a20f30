import {
  Application,
  Chain,
  Consensus,
  definePlugin,
  packageVersion,
  Identity,
  P2p,
  Storage,
  Transport,
  TxPool,
  type Cancel,
} from '@it-chain/contracts';
import { startClientApi } from './api/client-api.js';
import { EventFeed } from './api/event-feed.js';
import { provideBus } from './bus/provide-bus.js';
import { GatewayConfig } from './config.js';
import { PeerTransport } from './transport/peer-transport.js';

/** The gateway: gives the node its bus, its peer sessions and its client API. */
export const gatewayPlugin = definePlugin({
  name: 'gateway',
  version: packageVersion(import.meta.url),
  provides: [Transport],
  uses: [P2p, TxPool, Chain, Consensus, Application, Storage, Identity],
  config: GatewayConfig,
  setup(context) {
    const { peers, api, busServer: bounds } = context.config;
    const bus = provideBus(context, bounds);
    const transport = new PeerTransport(peers, context);
    context.serve(Transport, transport);
    const events = new EventFeed();
    events.register(context);
    const roles = {
      chain: context.use(Chain),
      txpool: context.use(TxPool),
      p2p: context.use(P2p),
      consensus: context.use(Consensus),
      application: context.use(Application),
      storage: context.use(Storage),
    };
    context.onAccept(async () => {
      const closePeers = await transport.accept();
      try {
        const clients = await startClientApi(api, { context, transport, events, ...roles });
        return async () => {
          await Promise.all([clients.close(), closePeers()]);
        };
      } catch (error) {
        await closePeers();
        throw error;
      }
    });
    let unwatch: Cancel | undefined;
    return {
      start: () => {
        if (peers.insecure) {
          context.log.warn(
            'peers.insecure is set: sessions to other nodes are neither encrypted nor safe from a relay',
          );
        }
        unwatch = bus.watch();
      },
      stop: async () => {
        unwatch?.();
        await transport.close();
      },
    };
  },
});
