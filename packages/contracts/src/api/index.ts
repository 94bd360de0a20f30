export * from './service.js';
export * from './messages.js';
export { NodeService } from './node-service.js';
