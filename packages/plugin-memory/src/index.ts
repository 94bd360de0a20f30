export {
  MemoryLevelStorage,
  type MemoryStorageDependencies,
  type MemoryStorageOptions,
} from './memory-level-storage.js';
export { MemoryConfig } from './memory-config.js';
export { memoryPlugin } from './memory-plugin.js';
export { memoryPlugin as default } from './memory-plugin.js';
