import { testStorage } from '@it-chain/testkit';
import { MemoryConfig, MemoryLevelStorage } from '@it-chain/plugin-memory';

describe('MemoryLevelStorage as the storage role', () => {
  testStorage(() => {
    const failing = (error: Error): void => {
      throw error;
    };
    const storage = new MemoryLevelStorage(MemoryConfig.parse(undefined), { failing });
    return Promise.resolve({ storage, dispose: () => storage.close() });
  });
});
