import { type ServerCounters } from '../broker/metrics.js';
import { type VirtualHost } from '../broker/virtual-host.js';
import { type Connection } from './connection.js';
import { type Services } from './session.js';

/** What a server holds at one moment, and what it has counted so far. */
export interface AmqpServerStats {
  readonly connections: number;
  readonly blockedConnections: number;
  readonly channels: number;
  readonly consumers: number;
  readonly queues: number;
  readonly exchanges: number;
  readonly messagesReady: number;
  readonly messagesUnacknowledged: number;
  /** Octets counted against the memory watermark. */
  readonly memoryBytes: number;
  readonly memoryAlarm: boolean;
  /** Octets waiting to be sent, over all connections. */
  readonly outputBytes: number;
  readonly counters: Readonly<ServerCounters>;
}

/** What one queue holds at one moment. */
export interface AmqpQueueStats {
  readonly name: string;
  readonly messagesReady: number;
  readonly bytesReady: number;
  readonly messagesUnacknowledged: number;
  readonly consumers: number;
}

/** Adds up the state of a server. */
export function serverStats(services: Services, connections: ReadonlySet<Connection>): AmqpServerStats {
  const all = [...connections].filter((connection) => !connection.isClosed);
  const channels = all.flatMap((connection) => [...connection.channels.values()]);
  const queues = [...services.vhosts.values()].flatMap((vhost) => [...vhost.queues.values()]);
  const unsaved = sum(all.map((connection) => connection.output.octets));
  return {
    connections: all.length,
    blockedConnections: all.filter((connection) => connection.isBlocked).length,
    channels: channels.length,
    consumers: sum(channels.map((channel) => channel.consumers.size)),
    queues: queues.length,
    exchanges: sum([...services.vhosts.values()].map((vhost) => vhost.exchanges.size)),
    messagesReady: sum(queues.map((queue) => queue.ready)),
    messagesUnacknowledged: sum(queues.map((queue) => queue.unacknowledged)),
    memoryBytes: services.gauge.used,
    memoryAlarm: services.gauge.alarm,
    outputBytes: sum(all.map((connection) => connection.output.pending)),
    counters: { ...services.counters, octetsSent: services.counters.octetsSent + unsaved },
  };
}

/** The queues of a virtual host; none when it does not exist. */
export function queueStats(vhost: VirtualHost | undefined): AmqpQueueStats[] {
  return [...(vhost?.queues.values() ?? [])].map((queue) => ({
    name: queue.name,
    messagesReady: queue.ready,
    bytesReady: queue.readyBytes,
    messagesUnacknowledged: queue.unacknowledged,
    consumers: queue.consumers.size,
  }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
