import { failure, hasCode, type Call, type Chain, type MemberRole, type Snapshot } from '@it-chain/contracts';
import { checkEventNames, type FeedEvent } from '../event-feed.js';
import { eventJson } from '../event-json.js';
import { BoundedQueue } from '../bounded-queue.js';
import type { HandlerContext, StreamHandlers, UnaryHandlers } from './handlers.js';
import { ifFounded, networkFacts } from './network-facts.js';
import { nodeStatus } from './node-status.js';

/** The node itself: status, peers, leader, genesis, events, metrics. */
export function nodeHandlers({
  options,
  dependencies,
}: HandlerContext): Pick<
  UnaryHandlers,
  'getPeers' | 'getLeader' | 'getStatus' | 'getGenesis' | 'getMetrics' | 'verifyStore' | 'dial' | 'join' | 'disconnect'
> &
  Pick<StreamHandlers, 'followEvents'> {
  const { p2p, transport, storage, context } = dependencies;

  const rolesOf = async (publicKeys: readonly Uint8Array[], call: Call): Promise<MemberRole[]> => {
    const answer = await ifFounded(() => dependencies.chain.roles({ publicKeys }, call));
    return publicKeys.map((_key, index) => answer?.roles[index]?.role ?? 'unfounded');
  };

  return {
    getPeers: async (_request, call) => {
      const { peers } = await p2p.list({}, call);
      const roles = await rolesOf(
        peers.map(({ publicKey }) => publicKey),
        call,
      );
      return { peers: peers.map((peer, index) => ({ ...peer, role: roles[index] ?? 'unfounded' })) };
    },
    getLeader: async (_request, call) => {
      const { nodeId, height, round, publicKey } = await p2p.leader({}, call);
      return { leader: publicKey === undefined ? '' : nodeId, height, round };
    },
    getStatus: (_request, call) => nodeStatus(dependencies, rolesOf, call),
    getGenesis: async (_request, call) => {
      const facts = await networkFacts(dependencies, call);
      if (facts === undefined)
        throw failure('ERR_NETWORK_UNFOUNDED', 'this node has neither a genesis nor a candidate yet');
      const base = await baseOf(dependencies.chain, call);
      return { genesis: facts.encoded, network: facts.network, settled: facts.settled, base };
    },
    getMetrics: async () => ({ text: await context.metrics.text() }),
    verifyStore: (_request, call) => storage.verify({}, call),
    dial: async ({ address }, call) => {
      const { nodeId, address: reached, hello } = await transport.dial({ address }, call);
      return { nodeId, address: reached, network: hello.network ?? new Uint8Array(0) };
    },
    join: ({ address }, call) => p2p.join({ address }, call),
    disconnect: ({ nodeId }, call) =>
      transport.disconnect({ nodeId, code: 'ERR_PEER_DISCONNECTED', reason: 'disconnected by the operator' }, call),
    followEvents: async ({ names }, sink) => {
      checkEventNames(names);
      const queue = new BoundedQueue<FeedEvent>(options.subscriber.maxEvents);
      const unsubscribe = dependencies.events.subscribe((event) => {
        if (names.length === 0 || names.includes(event.name)) queue.push(event);
      });
      try {
        for (;;) {
          const event = await queue.take(sink.signal);
          if (event === undefined) return;
          await sink.write({ name: event.name, json: eventJson(event), timestamp: event.timestamp });
        }
      } finally {
        unsubscribe();
      }
    },
  };
}

/** What the chain begins with, where its plugin knows of snapshots. */
async function baseOf(chain: Chain, call: Call): Promise<Snapshot | undefined> {
  try {
    return (await chain.base?.({}, call))?.snapshot;
  } catch (error) {
    if (hasCode(error, 'ERR_ROLE_UNKNOWN_CALL') || hasCode(error, 'ERR_BUS_NO_PROVIDER')) return undefined;
    throw error;
  }
}
