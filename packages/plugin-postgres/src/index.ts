export { PostgresStorage, type PostgresStorageDependencies, type PostgresStorageOptions } from './postgres-storage.js';
export { PostgresConfig } from './postgres-config.js';
export { postgresPlugin } from './postgres-plugin.js';
export { postgresPlugin as default } from './postgres-plugin.js';
