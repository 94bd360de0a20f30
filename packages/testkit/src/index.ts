export { ManualClock, settle } from './doubles/manual-clock.js';
export { RecordingLog, type LogLine } from './doubles/recording-log.js';
export { MemoryStorage } from './doubles/memory-storage.js';
export { FakeContext, type FakeContextOptions, type StartedByHand } from './doubles/fake-context.js';
export { testStorage, type LastingStorageUnderTest, type StorageUnderTest } from './suites/storage.js';
export { FakeNode, type FakeRoles } from './doubles/fake-node.js';
export { testBus, runBusCase, busCases, type BusSupport, type BusUnderTest } from './suites/bus.js';
export { applicationTransactions, testApplication, type ApplicationUnderTest } from './suites/application.js';
export { MemoryChain } from './doubles/memory-chain.js';
export {
  ConsensusCluster,
  type ConsensusClusterNode,
  type ConsensusClusterOptions,
} from './doubles/consensus-cluster.js';
export { PeerNet, PeerNetNode, type PeerNetLink, type PeerNetNodeOptions } from './doubles/peer-net.js';
export { overTheWire } from './doubles/over-the-wire.js';
export * from './simulation/index.js';
export { PLUGIN_PROMISES, testPlugin, type PluginUnderTest } from './suites/plugin.js';
export { PluginHost, type PluginHostOptions } from './host/plugin-host.js';
export { testTxPool, type TxPoolUnderTest } from './suites/txpool.js';
export { testConsensus, type ConsensusUnderTest } from './suites/consensus.js';
export { testP2p, type P2pPlace, type P2pUnderTest } from './suites/p2p.js';
export { CrashingStorage } from './doubles/crashing-storage.js';
export { PairsApplication } from './doubles/pairs-application.js';
export { testChain, type ChainUnderTest } from './suites/chain.js';
export {
  CHAIN_START,
  ChainBench,
  benchJoin,
  benchKeys,
  benchTransaction,
  certifyBlock,
  chainGenesis,
  withHeader,
  type BenchTransaction,
} from './suites/chain-bench.js';
export { testTransport, type TransportUnderTest } from './suites/transport.js';
export { commitWrites, poolGenesis, poolTip, poolTransaction } from './suites/pool-bench.js';
