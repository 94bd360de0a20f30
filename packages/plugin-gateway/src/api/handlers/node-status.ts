import {
  isItChainError,
  validatorIndex,
  type Call,
  type ChainTip,
  type ConsensusStatus,
  type Infer,
  type Leader,
  type MemberRole,
  type PoolStatus,
  type StatusReply,
  type TransportStatus,
} from '@it-chain/contracts';
import type { ClientApiDependencies } from './handlers.js';
import { ifFounded, networkFacts, tipIfFounded, type NetworkFacts } from './network-facts.js';

/** What the keys are in the network. */
export type RolesOf = (publicKeys: readonly Uint8Array[], call: Call) => Promise<MemberRole[]>;

/** What the roles of the node said; a part is absent where its role did not answer. */
interface Parts {
  readonly facts?: NetworkFacts | undefined;
  readonly tip?: ChainTip | undefined;
  readonly leader?: Leader | undefined;
  readonly connected?: number | undefined;
  readonly pool?: PoolStatus | undefined;
  readonly agreement?: Infer<typeof ConsensusStatus> | undefined;
  readonly listening?: Infer<typeof TransportStatus> | undefined;
  readonly role?: MemberRole | undefined;
}

const NONE = new Uint8Array(0);

/** The node at a glance. A role that does not answer leaves its part empty: a status that fails helps nobody. */
export async function nodeStatus(
  dependencies: ClientApiDependencies,
  rolesOf: RolesOf,
  call: Call,
): Promise<StatusReply> {
  const { context } = dependencies;
  const missing: string[] = [];
  const parts = await ask(dependencies, rolesOf, call, missing);
  const { plugins, startedAt } = context.inspect();
  return {
    nodeId: context.identity.nodeId,
    name: context.identity.name,
    publicKey: context.identity.publicKey,
    version: context.node.version,
    startedAt,
    plugins: plugins.map(({ name, role, version, state, health }) => ({
      name,
      role,
      version,
      state,
      reason: health.state === 'ok' ? '' : `${health.state}: ${health.reason ?? ''}`,
    })),
    ...networkPart(parts),
    ...chainPart(parts, context.identity.publicKey),
    ...leaderPart(parts),
    ...doorPart(parts),
    waiting: parts.agreement?.waiting || missing.join('; '),
  };
}

async function ask(
  dependencies: ClientApiDependencies,
  rolesOf: RolesOf,
  call: Call,
  missing: string[],
): Promise<Parts> {
  const { context, p2p, txpool, consensus, transport } = dependencies;
  const part = async <T>(what: string, question: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await question();
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
  const connected = table?.peers.filter((peer) => peer.connected && !peer.self).length;
  return { facts, tip, leader, connected, pool, agreement, listening, role: roles?.[0] };
}

function networkPart({ facts }: Parts): Pick<StatusReply, 'network' | 'candidate' | 'window'> {
  if (facts === undefined) return { network: NONE, candidate: NONE, window: 0 };
  if (!facts.settled) return { network: NONE, candidate: facts.network, window: 0 };
  return { network: facts.network, candidate: NONE, window: facts.genesis.window };
}

function chainPart(
  { tip, role }: Parts,
  publicKey: Uint8Array,
): Pick<StatusReply, 'height' | 'digest' | 'stateRoot' | 'validators' | 'role'> {
  if (tip === undefined) return { height: 0, digest: NONE, stateRoot: NONE, validators: 0, role: role ?? 'unfounded' };
  const { height, digest, stateRoot, validators } = tip;
  const seen = validatorIndex(validators, publicKey) >= 0 ? 'validator' : 'observer';
  return { height, digest, stateRoot, validators: validators.validators.length, role: role ?? seen };
}

function leaderPart({ leader, agreement }: Parts): Pick<StatusReply, 'leader' | 'round'> {
  return {
    leader: leader?.publicKey === undefined ? '' : leader.nodeId,
    round: agreement?.round ?? leader?.round ?? 0,
  };
}

function doorPart({
  pool,
  connected,
  listening,
}: Parts): Pick<StatusReply, 'pool' | 'peers' | 'peerAddress' | 'insecure'> {
  const { count, bytes, maxCount, maxBytes } = pool ?? { count: 0, bytes: 0, maxCount: 0, maxBytes: 0 };
  return {
    pool: { count, bytes, maxCount, maxBytes },
    peers: connected ?? 0,
    peerAddress: listening === undefined ? '' : listening.advertised || listening.listening,
    insecure: listening?.insecure ?? false,
  };
}
