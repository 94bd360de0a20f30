/** An embeddable AMQP 0-9-1 server. @packageDocumentation */
export { AmqpServer, type AmqpConnectionInfo, type AmqpServerEvents } from './server/amqp-server.js';
export {
  type AmqpAddress,
  type AmqpTcpAddress,
  type AmqpUnixAddress,
  type ListenOptions,
  type TcpListenOptions,
  type UnixListenOptions,
} from './server/listener.js';
export { type AmqpWarning } from './server/session.js';
export { type AmqpQueueStats, type AmqpServerStats } from './server/stats.js';
export { type ServerCounters } from './broker/metrics.js';
export { type AmqpKeyPermissions, type AmqpPermissions, type AmqpServerOptions, type AmqpUser } from './options.js';
export { AmqpServerError, type AmqpServerErrorCode } from './errors.js';
export { type PlainValue } from './wire/field-table.js';
