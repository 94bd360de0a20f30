import {
  Application,
  Consensus,
  P2p,
  Storage,
  Transport,
  definePlugin,
  messageOf,
  packageVersion,
} from '@it-chain/contracts';
import { StaticConfig } from './static-config.js';
import { StaticP2p } from './static-p2p.js';

export { StaticConfig } from './static-config.js';
export { staticGenesis, type StaticGenesis } from './static-genesis.js';
export { StaticP2p, type StaticP2pDependencies } from './static-p2p.js';

/** The plugin: the role p2p with fixed members. */
export default definePlugin({
  name: 'p2p-static',
  version: packageVersion(import.meta.url),
  provides: [P2p],
  requires: [Storage, Transport, Application],
  uses: [Consensus],
  config: StaticConfig,
  setup(context) {
    const { config, identity, clock, log } = context;
    const p2p = new StaticP2p(config, {
      identity,
      clock,
      log,
      application: context.use(Application),
      storage: context.use(Storage),
      transport: context.use(Transport),
      consensus: context.use(Consensus),
      emit: (notice, body) => context.emit(notice, body),
    });
    /** Events come from peers, and from plugins that stop before this one: what fails is told at debug, never thrown. */
    const guarded =
      <B>(handle: (body: B) => Promise<void> | void) =>
      async (body: B): Promise<void> => {
        try {
          await handle(body);
        } catch (error) {
          log.debug('an event could not be handled; it is made good at the next look', { reason: messageOf(error) });
        }
      };
    context.serve(P2p, p2p);
    context.on(
      Transport.events.connected,
      guarded((session) => p2p.connected(session)),
    );
    context.on(
      Transport.events.disconnected,
      guarded(({ nodeId }) => p2p.disconnected(nodeId)),
    );
    context.on(
      Transport.events.asked,
      guarded((asked) => p2p.asked(asked)),
    );
    context.on(
      Consensus.events.round,
      guarded((round) => p2p.round(round)),
    );
    return { start: () => p2p.start(), stop: () => p2p.stop() };
  },
});
