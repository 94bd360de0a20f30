import 'reflect-metadata';

export { startNode } from './boot/start-node.js';
export {
  STAGE_NAMES,
  type NodeFailure,
  type BusServices,
  type NodeOptions,
  type NodeServices,
  type RunningNode,
  type StageName,
  type StageReport,
} from './boot/node-options.js';
export { exitCodeOf } from './boot/exit-code.js';
export { nodeHealth } from './health/health-board.js';
export { loadConfig } from './config/load-config.js';
export type { ConfigOptions, ConfiguredPlugin, LoadedConfig } from './config/config-options.js';
export { checkConfig, configSchema, configSources, shownConfig, type ConfigSource } from './config/config-document.js';
export type { ConfigFlag } from './config/layers.js';
export type { NodeConfig } from './config/node-config.js';
export { ConfigError, describeProblem, type Problem } from './config/problem.js';
export { nearest, suggestion } from './config/suggest.js';
export { Logs, type LogLevel, type LogOptions } from './log/logs.js';
export { redact, redactText } from './log/redact.js';
export { installedPlugins } from './plugins/installed-plugins.js';
export { foreignManifestSchema } from './plugins/foreign-manifest.js';
export { inspectPlugins, type InspectedPlugin, type PluginInspection } from './plugins/inspect-plugins.js';
export type { InstalledPackage } from './plugins/plugin-package.js';
export type { SchemaNode } from './config/schema-tree.js';
export { createPluginContext, type BoundPlugin, type PluginContextOptions } from './context/plugin-context.js';
export { openIdentity, type OpenIdentity, type OpenIdentityOptions } from './identity/index.js';
export { SystemClock } from './services/system-clock.js';
export { createMetrics, type ProcessMetrics } from './services/metrics.js';
export { createVerifier, type Verifier, type VerifierOptions } from './services/verifier.js';
export { createFailpoints, FAILPOINT_VARIABLE, type Failpoints } from './services/failpoints.js';
export { randomBytes } from './services/random.js';
export { MemoryBus, type MemoryBusOptions } from './bus/memory-bus.js';
export { MemoryBroker, type Delivery, type MemoryBrokerOptions, type Schedule } from './bus/memory-broker.js';
export { createProxy, type CallOrigin } from './context/role-proxy.js';
export { missingCalls, serveRole } from './context/role-server.js';
