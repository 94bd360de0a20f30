import {
  Application,
  Chain,
  Consensus,
  P2p,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  messageOf,
} from '@it-chain/contracts';
import { P2pConfig } from './p2p-config.js';
import { P2pNode } from './p2p-node.js';

/** The plugin that serves the role p2p. */
export const p2pPlugin = definePlugin({
  name: 'p2p',
  version: '1.0.0',
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
    });
    context.serve(P2p, node);
    let running = false;
    /** Events come from peers and from plugins that stop before this one: what fails is told at debug, never thrown. */
    const whileRunning =
      <B>(what: string, handle: (body: B) => Promise<void>) =>
      async (body: B): Promise<void> => {
        if (!running) return;
        try {
          await handle(body);
        } catch (error) {
          log.debug(`p2p could not handle ${what}`, { reason: messageOf(error) });
        }
      };
    context.on(
      Transport.events.connected,
      whileRunning('a new session', (session) => node.connected(session)),
    );
    context.on(
      Transport.events.disconnected,
      whileRunning('a lost session', (gone) => node.disconnected(gone)),
    );
    context.on(
      Transport.events.received,
      whileRunning('a message', (message) => node.received(message)),
    );
    context.on(
      Transport.events.asked,
      whileRunning('a request', (request) => node.asked(request)),
    );
    context.on(
      Chain.events.committed,
      whileRunning('a block', (block) => node.committed(block)),
    );
    context.on(
      Consensus.events.round,
      whileRunning('a round', (round) => node.round(round)),
    );
    return {
      async start() {
        await node.start();
        running = true;
      },
      async stop() {
        running = false;
        await node.stop();
      },
    };
  },
});
