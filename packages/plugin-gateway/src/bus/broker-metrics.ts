import type { AmqpServer, AmqpServerStats } from '@it-chain/amqp-server';
import type { Cancel, Clock, Log, Metrics } from '@it-chain/contracts';

/** How often the embedded server is looked at, in ms. */
const LOOK_MS = 1_000;

/** Counters of the server that say that a bound was met, by the word of the label `what`. */
const REFUSALS: Readonly<Record<string, keyof AmqpServerStats['counters']>> = {
  connection: 'connectionsRefused',
  login: 'authFailures',
  'connection-closed': 'connectionErrors',
  'channel-closed': 'channelErrors',
  publish: 'rejected',
  dropped: 'dropped',
  throttled: 'throttled',
  'memory-alarm': 'memoryAlarms',
};

/** Tells the log of the warnings of the embedded server, and the metrics what it holds and refuses. The result stops it. */
export function watchBroker(
  server: AmqpServer,
  { log, metrics, clock }: { readonly log: Log; readonly metrics: Metrics; readonly clock: Pick<Clock, 'every'> },
): Cancel {
  const refused = metrics.counter('bus_server_refused_total', 'What the embedded server refused, dropped or slowed.', [
    'what',
  ]);
  const connections = metrics.gauge('bus_server_connections', 'Connections to the embedded server.');
  const queues = metrics.gauge('bus_server_queues', 'Queues of the embedded server.');
  const memory = metrics.gauge('bus_server_bytes', 'Bytes that wait in the embedded server, against its bound.');
  const blocked = metrics.gauge('bus_server_blocked_connections', 'Connections that may not publish for now.');
  server.on('warning', ({ code, message }) => {
    log.warn('the bus warns', { code, reason: message });
  });
  const told = new Map<string, number>();
  return clock.every(LOOK_MS, () => {
    const held = server.stats();
    connections.set(held.connections);
    queues.set(held.queues);
    memory.set(held.memoryBytes);
    blocked.set(held.blockedConnections);
    for (const [what, counter] of Object.entries(REFUSALS)) {
      const now = held.counters[counter];
      const more = now - (told.get(what) ?? 0);
      if (more > 0) refused.add(more, { what });
      told.set(what, now);
    }
  });
}
