export { LevelStorage, type LevelStorageDependencies, type LevelStorageOptions } from './level-storage.js';
export type { OpenStoreOptions } from './open-store.js';
export type { WriteQueueOptions } from './write-queue.js';
export type { DiskSpace, FreeSpaceLimits } from './free-space.js';
export { LevelDbConfig } from './leveldb-config.js';
export { leveldbPlugin } from './leveldb-plugin.js';
export { leveldbPlugin as default } from './leveldb-plugin.js';
export { checkTableFile, liveTables } from './files/check-directory.js';
export type { Version } from './files/version.js';
