export { ManualClock, settle } from './doubles/manual-clock.js';
export { RecordingLog, type LogLine } from './doubles/recording-log.js';
export { MemoryStorage } from './doubles/memory-storage.js';
export { FakeContext, type FakeContextOptions } from './doubles/fake-context.js';
