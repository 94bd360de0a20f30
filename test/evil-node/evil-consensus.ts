import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  PEER_KINDS,
  Transport,
  definePlugin,
  keyPairFromSeed,
  messageOf,
  z,
  type KeyPair,
  type PluginContext,
  type Role,
} from '@it-chain/contracts';
import consensusPlugin, { ConsensusConfig, decodeMessage, encodeMessage } from '@it-chain/plugin-consensus';
import { behaviours, type Behaviour, type EvilHands } from './behaviours.js';

/** Where the test says what to do, and where the node says how often it did it. */
export const ORDER_FILE = 'evil-order.json';
export const DEEDS_FILE = 'evil-deeds.json';
const TICK_MS = 100;

/** What the test orders: a behaviour by its id, or none; `since` tells one order from the next. */
export interface EvilOrder {
  readonly behaviour: string;
  readonly since: number;
}

/**
 * The shipped consensus with a liar at its mouth: the machine inside is honest, and what it wants to send passes through
 * the behaviour that the test has ordered, which may drop, change or double it and sign anything with the node's key,
 * past the guard.
 */
export default definePlugin({
  name: 'evil-consensus',
  version: '1.0.0',
  provides: consensusPlugin.provides,
  requires: consensusPlugin.requires,
  config: z.strictObject({ honest: ConsensusConfig }).prefault({}),
  setup(context) {
    const transport = context.use(Transport);
    const hands = handsOf(context, transport);
    let order: EvilOrder = { behaviour: '', since: 0 };
    let behaviour: Behaviour | undefined;
    let deeds = 0;

    const obey = (): void => {
      const next = readOrder(context.node.dataDir);
      if (next.since === order.since) return;
      order = next;
      deeds = 0;
      behaviour = behaviours[order.behaviour]?.({ ...hands, did: (count = 1) => void (deeds += count) });
    };
    let ticking = false;
    const cancel = context.clock.every(TICK_MS, () => {
      obey();
      writeFileSync(join(context.node.dataDir, DEEDS_FILE), JSON.stringify({ ...order, deeds }));
      if (ticking || behaviour?.tick === undefined) return;
      ticking = true;
      behaviour
        .tick()
        .catch((error: unknown) => context.log.debug('an evil deed failed', { error: messageOf(error) }))
        .finally(() => (ticking = false));
    });

    const mouth: typeof transport = {
      ...bound(transport),
      deliver: async (message, call) => {
        const spoken = message.kind === PEER_KINDS.consensus ? decodeMessage(message.body) : undefined;
        if (behaviour?.speak === undefined || spoken === undefined) return transport.deliver(message, call);
        const { content, network, attempt } = spoken;
        for (const saying of behaviour.speak(content, { network, peers: message.peers })) {
          const body = encodeMessage(saying.content, saying.network ?? network, attempt);
          const { lane, kind } = message;
          if (saying.afterMs === undefined) await transport.deliver({ peers: [...saying.to], kind, body, lane });
          else
            context.clock.after(
              saying.afterMs,
              () => void transport.deliver({ peers: [...saying.to], kind, body, lane }),
            );
        }
        return { peers: message.peers.length };
      },
    };
    context.on(Transport.events.received, ({ kind, body }) => {
      if (kind === PEER_KINDS.consensus) behaviour?.hear?.(body);
    });
    const running = consensusPlugin.setup(withMouth(context, mouth));
    return Promise.resolve(running).then((made) => ({
      ...(made === undefined ? {} : made),
      stop: async () => {
        cancel();
        await (made === undefined ? undefined : made.stop?.());
      },
    }));
  },
});

/** The context that the honest plugin gets: the same, but for its config and its transport. */
function withMouth(
  context: PluginContext<{ readonly honest: ConsensusConfig }>,
  mouth: object,
): PluginContext<ConsensusConfig> {
  const use = (role: Role): unknown => (role.name === Transport.name ? mouth : context.use(role));
  return new Proxy(context, {
    get(target, key) {
      if (key === 'config') return target.config.honest;
      if (key === 'use') return use;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  }) as unknown as PluginContext<ConsensusConfig>;
}

function handsOf(context: PluginContext, transport: Transport): Omit<EvilHands, 'did'> {
  let keys: KeyPair | undefined;
  return {
    keys: () => (keys ??= readKey(join(context.node.dataDir, 'node.key'))),
    now: () => context.clock.now(),
    random: (length) => context.random(length),
    send: (peers, body, lane = 'control') =>
      transport.deliver({ peers: [...peers], kind: PEER_KINDS.consensus, body, lane }).then(() => undefined),
    sessions: async () => (await transport.sessions({})).sessions,
    fetch: (peer, kind, body) => transport.fetch({ peer, kind, body }),
  };
}

/** The proxy of a role has its calls as members that may not be enumerable: name those that are used. */
function bound(transport: Transport): Transport {
  return {
    announce: (request, call) => transport.announce(request, call),
    dial: (request, call) => transport.dial(request, call),
    disconnect: (request, call) => transport.disconnect(request, call),
    deliver: (request, call) => transport.deliver(request, call),
    fetch: (request, call) => transport.fetch(request, call),
    answer: (request, call) => transport.answer(request, call),
    sessions: (request, call) => transport.sessions(request, call),
    status: (request, call) => transport.status(request, call),
  };
}

function readKey(path: string): KeyPair {
  const key = createPrivateKey({ key: readFileSync(path, 'utf8'), format: 'pem' });
  return keyPairFromSeed(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'));
}

function readOrder(dataDir: string): EvilOrder {
  try {
    return JSON.parse(readFileSync(join(dataDir, ORDER_FILE), 'utf8')) as EvilOrder;
  } catch {
    // No order yet, or one that is being written: the next tick reads it.
    return { behaviour: '', since: 0 };
  }
}
