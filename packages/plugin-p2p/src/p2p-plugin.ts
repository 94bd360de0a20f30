import {
  Application,
  Chain,
  Consensus,
  P2p,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  packageVersion,
  messageOf,
  type PluginContext,
} from '@it-chain/contracts';
import { P2pConfig } from './p2p-config.js';
import { P2pNode } from './p2p-node.js';

/** The plugin that serves the role p2p. */
export const p2pPlugin = definePlugin({
  name: 'p2p',
  version: packageVersion(import.meta.url),
  provides: [P2p],
  requires: [Storage, Transport, Application],
  uses: [Chain, TxPool, Consensus],
  config: P2pConfig,
  setup(context) {
    const { clock, log, identity } = context;
    const node = new P2pNode(context.config, {
      clock,
      log,
      identity,
      metrics: context.metrics,
      solo: context.node.solo,
      storage: context.use(Storage),
      transport: context.use(Transport),
      application: context.use(Application),
      chain: context.use(Chain),
      txpool: context.use(TxPool),
      consensus: context.use(Consensus),
      random: (length) => context.random(length),
      sign: (domain, network, content) => context.sign(domain, network, content),
      verify: (checks) => context.verify(checks),
      emit: (notice, body) => context.emit(notice, body),
      health: (health) => {
        context.health(health);
      },
    });
    context.serve(P2p, node);
    const gate = { open: false };
    listen(context, node, gate);
    context.onAccept(() => node.opened());
    return {
      async start() {
        await node.start();
        gate.open = true;
      },
      async stop() {
        gate.open = false;
        await node.stop();
      },
    };
  },
});

/**
 * Passes events on between start and stop. They come from peers, and from plugins that stop before this one: what fails
 * is told at debug, never thrown.
 */
function listen(context: PluginContext, node: P2pNode, gate: { readonly open: boolean }): void {
  const guarded =
    <B>(what: string, handle: (body: B) => Promise<void>) =>
    async (body: B): Promise<void> => {
      if (!gate.open) return;
      try {
        await handle(body);
      } catch (error) {
        context.log.debug(`p2p could not handle ${what}`, { reason: messageOf(error) });
      }
    };
  context.on(
    Transport.events.connected,
    guarded('a new session', (session) => node.connected(session)),
  );
  context.on(
    Transport.events.disconnected,
    guarded('a lost session', (gone) => node.disconnected(gone)),
  );
  context.on(
    Transport.events.received,
    guarded('a message', (message) => node.received(message)),
  );
  context.on(
    Transport.events.asked,
    guarded('a request', (request) => node.asked(request)),
  );
  context.on(
    Chain.events.committed,
    guarded('a block', (block) => node.committed(block)),
  );
  context.on(
    Consensus.events.round,
    guarded('a round', (round) => node.round(round)),
  );
}
