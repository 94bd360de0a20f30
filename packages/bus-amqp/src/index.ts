export { permissionsOf, type BusPermissions } from './permissions.js';
export { connectAmqpBus } from './connect.js';
export type { AmqpBusOptions } from './options.js';
