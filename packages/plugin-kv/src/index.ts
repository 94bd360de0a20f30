export { KvApplication, type KvApplicationDependencies, type KvApplicationOptions } from './kv-application.js';
export { KvConfig, kvPlugin, kvPlugin as default } from './kv-plugin.js';
