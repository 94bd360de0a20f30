/** Counters since the server was made; they only grow. */
export interface ServerCounters {
  /** Connections accepted and attached, authenticated or not. */
  connectionsAccepted: number;
  /** Connections turned away because `maxConnections` was reached. */
  connectionsRefused: number;
  /** Logins refused. */
  authFailures: number;
  /** Connections closed by the server with an error code. */
  connectionErrors: number;
  /** Channels closed by the server with an error code. */
  channelErrors: number;
  octetsReceived: number;
  octetsSent: number;
  /** Messages published by clients. */
  published: number;
  /** Messages sent to consumers or fetched. */
  delivered: number;
  /** Of those delivered, the ones that had been delivered before. */
  redelivered: number;
  acknowledged: number;
  /** Publisher confirms sent, positive ones. */
  confirmed: number;
  /** Publishes refused by a full queue. */
  rejected: number;
  /** Mandatory messages sent back. */
  returned: number;
  /** Messages that no queue received. */
  unroutable: number;
  deadLettered: number;
  /** Messages removed because their time to live was over. */
  expired: number;
  /** Messages removed from a full queue (drop-head). */
  dropped: number;
  /** Times the memory alarm was raised. */
  memoryAlarms: number;
  /** Times a connection was not read for a while because its user published too fast. */
  throttled: number;
}

/** All counters at zero. */
export function createCounters(): ServerCounters {
  return {
    connectionsAccepted: 0,
    connectionsRefused: 0,
    authFailures: 0,
    connectionErrors: 0,
    channelErrors: 0,
    octetsReceived: 0,
    octetsSent: 0,
    published: 0,
    delivered: 0,
    redelivered: 0,
    acknowledged: 0,
    confirmed: 0,
    rejected: 0,
    returned: 0,
    unroutable: 0,
    deadLettered: 0,
    expired: 0,
    dropped: 0,
    memoryAlarms: 0,
    throttled: 0,
  };
}
