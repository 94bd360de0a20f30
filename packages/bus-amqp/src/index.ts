export { connectAmqpBus } from './connect.js';
export type { AmqpBusOptions } from './options.js';
