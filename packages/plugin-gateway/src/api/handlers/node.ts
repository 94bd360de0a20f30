import {
  failure,
  isItChainError,
  validatorIndex,
  type Call,
  type Infer,
  type MemberRole,
  type PoolSummary,
} from '@it-chain/contracts';
import type { FeedEvent } from '../event-feed.js';
import { eventJson } from '../event-json.js';
import { BoundedQueue } from '../bounded-queue.js';
import type { HandlerContext, StreamHandlers, UnaryHandlers } from './handlers.js';
import { ifFounded, networkFacts, tipIfFounded } from './network-facts.js';

const NO_POOL: Infer<typeof PoolSummary> = { count: 0, bytes: 0, maxCount: 0, maxBytes: 0 };

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
    getStatus: (_request, call) => status({ options, dependencies }, rolesOf, call),
    getGenesis: async (_request, call) => {
      const facts = await networkFacts(dependencies, call);
      if (facts === undefined)
        throw failure('ERR_NETWORK_UNFOUNDED', 'this node has neither a genesis nor a candidate yet');
      return { genesis: facts.encoded, network: facts.network, settled: facts.settled };
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
      const wanted = new Set(names);
      const queue = new BoundedQueue<FeedEvent>(options.subscriber.maxEvents);
      const unsubscribe = dependencies.events.subscribe((event) => {
        if (wanted.size === 0 || wanted.has(event.name)) queue.push(event);
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

type RolesOf = (publicKeys: readonly Uint8Array[], call: Call) => Promise<MemberRole[]>;

/** The node at a glance. A role that does not answer leaves its part empty: a status that fails helps nobody. */
async function status(
  { dependencies }: HandlerContext,
  rolesOf: RolesOf,
  call: Call,
): Promise<Awaited<ReturnType<UnaryHandlers['getStatus']>>> {
  const { context, p2p, txpool, consensus, transport } = dependencies;
  const missing: string[] = [];
  const part = async <T>(what: string, ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask();
    } catch (error) {
      if (!isItChainError(error)) throw error;
      context.log.debug('a part of the status is missing', { what, code: error.code });
      missing.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const [facts, tip, leader, table, pool, agreement, listening, roles] = await Promise.all([
    part('network', () => networkFacts(dependencies, call)),
    part('chain', () => tipIfFounded(dependencies, call)),
    part('leader', () => p2p.leader({}, call)),
    part('peers', () => p2p.list({}, call)),
    part('pool', () => txpool.status({}, call)),
    part('consensus', () => ifFounded(() => consensus.status({}, call))),
    part('transport', () => transport.status({}, call)),
    part('role', () => rolesOf([context.identity.publicKey], call)),
  ]);
  const { plugins, startedAt } = context.inspect();
  const validator = tip !== undefined && validatorIndex(tip.validators, context.identity.publicKey) >= 0;
  const settled = facts?.settled === true;
  const none = new Uint8Array(0);
  return {
    nodeId: context.identity.nodeId,
    name: context.identity.name,
    network: settled ? facts.network : none,
    candidate: settled ? none : (facts?.network ?? none),
    height: tip?.height ?? 0,
    digest: tip?.digest ?? none,
    leader: leader?.publicKey === undefined ? '' : leader.nodeId,
    round: agreement?.round ?? leader?.round ?? 0,
    role: roles?.[0] ?? (tip === undefined ? 'unfounded' : validator ? 'validator' : 'observer'),
    validators: tip?.validators.validators.length ?? 0,
    peers: table?.peers.filter(({ connected, self }) => connected && !self).length ?? 0,
    pool:
      pool === undefined
        ? NO_POOL
        : { count: pool.count, bytes: pool.bytes, maxCount: pool.maxCount, maxBytes: pool.maxBytes },
    plugins: plugins.map(({ name, role, version, state, health }) => ({
      name,
      role,
      version,
      state,
      reason: health.state === 'ok' ? '' : `${health.state}: ${health.reason ?? ''}`,
    })),
    waiting: agreement?.waiting !== undefined && agreement.waiting !== '' ? agreement.waiting : missing.join('; '),
    publicKey: context.identity.publicKey,
    peerAddress: listening === undefined ? '' : listening.advertised || listening.listening,
    stateRoot: tip?.stateRoot ?? none,
    window: settled ? facts.genesis.window : 0,
    version: context.node.version,
    startedAt,
    insecure: listening?.insecure ?? false,
  };
}
