import type { BusNeeds, RoleCalls } from '@it-chain/contracts';
import { Topology } from './topology.js';

/** Regular expressions over names of queues and exchanges, and over routing keys; all are anchored. */
export interface BusPermissions {
  /** May declare and delete. */
  readonly configure: string;
  /** May publish to exchanges and bind queues. */
  readonly write: string;
  /** May consume from queues and bind to exchanges. */
  readonly read: string;
  /** Routing keys by exchange: `write` to publish with, `read` to bind with. RabbitMQ knows them for topic exchanges only. */
  readonly routingKeys: Readonly<Record<string, { readonly write: string; readonly read: string }>>;
}

/** Matches no name but the empty one, as an empty pattern does in RabbitMQ. */
const NOTHING = '^$';
/** Queues that the broker names. */
const SERVER_NAMED = 'amq\\.gen-.*';
/** The exchange without a name, as permissions call it. */
export const DEFAULT_EXCHANGE = 'amq.default';

/**
 * What the broker user of a plugin may do, in the patterns of RabbitMQ: exactly what the bus client, or a program that
 * keeps to docs/bus.md, does to serve, call, listen and tell what `needs` names, in one node's namespace. Pure.
 */
export function permissionsOf(needs: BusNeeds, namespace: string): BusPermissions {
  const topology = new Topology({ namespace, maxQueued: 1 });
  const { serves, calls, listens, tells } = needs;
  const listensToEvents = listens.events.length > 0;
  const listensAtAll = listensToEvents || listens.transients.length > 0;
  const durable = listensToEvents ? [topology.durableQueue(needs.name)] : [];
  const own = [...serves.map(({ role }) => topology.roleQueue(role)), ...durable].map(literal);
  const queues = listensAtAll ? [...own, SERVER_NAMED] : own;
  const when = (condition: boolean, name: string): string[] => (condition ? [literal(name)] : []);
  return {
    configure: anyOf(queues),
    write: anyOf([
      ...queues,
      ...when(calls.length > 0, topology.rpc),
      ...when(tells.events.length > 0, topology.events),
      ...when(tells.transients.length > 0, topology.casts),
      // Answers go to the asker's address by the default exchange; a durable queue names where its dead letters go.
      ...when(serves.length > 0, DEFAULT_EXCHANGE),
      ...when(listensToEvents, topology.deadExchange),
    ]),
    read: anyOf([
      ...queues,
      ...when(serves.length > 0, topology.rpc),
      ...when(listensToEvents, topology.events),
      ...when(listens.transients.length > 0, topology.casts),
    ]),
    routingKeys: {
      [topology.rpc]: { write: keysOf(calls, topology), read: keysOf(serves, topology) },
      [topology.events]: { write: anyOf(tells.events.map(literal)), read: anyOf(listens.events.map(literal)) },
      [topology.casts]: { write: anyOf(tells.transients.map(literal)), read: anyOf(listens.transients.map(literal)) },
      [DEFAULT_EXCHANGE]: { write: '^amq\\.rabbitmq\\.reply-to\\..+$', read: NOTHING },
    },
  };
}

function keysOf(roles: readonly RoleCalls[], topology: Topology): string {
  return anyOf(roles.flatMap(({ role, calls }) => [...calls, topology.probeKey(role)]).map(literal));
}

function anyOf(patterns: readonly string[]): string {
  return patterns.length === 0 ? NOTHING : `^(${[...new Set(patterns)].join('|')})$`;
}

function literal(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
