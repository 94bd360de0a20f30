import { container, type DependencyContainer } from 'tsyringe';
import type { Bus, Clock } from '@it-chain/contracts';
import type { LoadedConfig } from '../config/config-options.js';
import { HealthBoard } from '../health/health-board.js';
import type { Logs } from '../log/logs.js';
import { createFailpoints } from '../services/failpoints.js';
import { createMetrics, type ProcessMetrics } from '../services/metrics.js';
import { randomBytes } from '../services/random.js';
import { SystemClock } from '../services/system-clock.js';
import { createVerifier, type Verifier } from '../services/verifier.js';
import { Lifeline } from './lifeline.js';
import type { NodeOptions, RunningNode, StageReport } from './node-options.js';
import { NodeRecord } from './node-record.js';
import { AcceptStage } from './stages/accept-stage.js';
import { BusStage } from './stages/bus-stage.js';
import { ConfigStage } from './stages/config-stage.js';
import { IdentityStage, type StagedIdentity } from './stages/identity-stage.js';
import { LoadStage } from './stages/load-stage.js';
import { ReadyStage } from './stages/ready-stage.js';
import { SetupStage } from './stages/setup-stage.js';
import type { StageEntry } from './stages/stage.js';
import { StartStage } from './stages/start-stage.js';
import { TOKENS } from './tokens.js';
import { UndoStack } from './undo-stack.js';

/** A start, from its first to its last step. */
const STAGES: readonly StageEntry[] = [
  { name: 'config', stage: ConfigStage },
  { name: 'load', stage: LoadStage },
  { name: 'identity', stage: IdentityStage },
  { name: 'bus', stage: BusStage },
  { name: 'setup', stage: SetupStage },
  { name: 'start', stage: StartStage },
  { name: 'accept', stage: AcceptStage },
  { name: 'ready', stage: ReadyStage },
];

/** Limit of the stop of a start that failed before its config was known, in ms. */
const EARLY_STOP_MS = 5_000;

/**
 * Starts a node: config, load, identity, bus, setup, start, accept, ready. Resolves when it is ready. Everything that can
 * be wrong with the config or with how the plugins fit together is found before anything is opened or written; where a
 * later stage fails, what had started is stopped in reverse before this throws.
 * @throws ERR_CONFIG_*, ERR_PLUGIN_*, ERR_NODE_*, ERR_IDENTITY_*, ERR_STORAGE_IN_USE, ERR_BUS_*; see {@link exitCodeOf}
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const node = createContainer(options);
  const lifeline = node.resolve<Lifeline>(TOKENS.lifeline);
  const record = node.resolve<NodeRecord>(TOKENS.record);
  try {
    for (const { name, stage } of STAGES) await runStage(node, { name, stage }, lifeline, record, options);
  } catch (error) {
    await abandon(node, error);
    throw error;
  }
  return running(node, record, lifeline);
}

async function runStage(
  node: DependencyContainer,
  { name, stage }: StageEntry,
  lifeline: Lifeline,
  record: NodeRecord,
  options: NodeOptions,
): Promise<void> {
  const clock = node.resolve<Clock>(TOKENS.clock);
  const began = clock.monotonic();
  await lifeline.race(node.resolve(stage).run());
  const report: StageReport = { name, ms: clock.monotonic() - began };
  record.stages.push(report);
  node
    .resolve<ProcessMetrics>(TOKENS.metrics)
    .gauge('kernel_stage_seconds', 'How long a stage of the start took.', ['stage'])
    .set(report.ms / 1_000, { stage: name });
  options.onStage?.(report);
}

/** A container of this node alone; nothing is ever registered in the global one. */
function createContainer(options: NodeOptions): DependencyContainer {
  // First: a name that is none must end the start before anything is made.
  const failpoints = createFailpoints(options.env);
  const node = container.createChildContainer();
  const clock = options.services?.clock ?? new SystemClock();
  const board = new HealthBoard();
  const undo = new UndoStack(clock);
  const metrics = createMetrics();
  const verifier: Verifier = options.services?.verifier ?? createVerifier();
  undo.push('closing of the metrics', () => {
    metrics.close();
  });
  if (options.services?.verifier === undefined) undo.push('closing of the verifier', () => verifier.close());
  const values: readonly (readonly [symbol, unknown])[] = [
    [TOKENS.container, node],
    [TOKENS.options, options],
    [TOKENS.clock, clock],
    [TOKENS.random, options.services?.random ?? randomBytes],
    [TOKENS.verifier, verifier],
    [TOKENS.metrics, metrics],
    [TOKENS.failpoints, failpoints],
    [TOKENS.board, board],
    [TOKENS.record, new NodeRecord({ clock, board })],
    [TOKENS.lifeline, new Lifeline(options.signal)],
    [TOKENS.undo, undo],
  ];
  for (const [token, useValue] of values) node.register(token, { useValue });
  return node;
}

/** Stops what a failed start had started. */
async function abandon(node: DependencyContainer, error: unknown): Promise<void> {
  const logs = node.isRegistered(TOKENS.logs) ? node.resolve<Logs>(TOKENS.logs) : undefined;
  logs?.of('kernel').debug('the start failed', { error });
  const errors = await stop(node);
  for (const one of errors) logs?.of('kernel').warn('stopping after a failed start', { error: one });
}

function stop(node: DependencyContainer): Promise<readonly Error[]> {
  const known = node.isRegistered(TOKENS.config);
  const limitMs = known ? node.resolve<LoadedConfig>(TOKENS.config).config.timeouts.stopMs : EARLY_STOP_MS;
  return node.resolve<UndoStack>(TOKENS.undo).run(limitMs);
}

function running(node: DependencyContainer, record: NodeRecord, lifeline: Lifeline): RunningNode {
  const { identity } = node.resolve<StagedIdentity>(TOKENS.identity);
  return {
    nodeId: identity.nodeId,
    identity,
    config: node.resolve<LoadedConfig>(TOKENS.config).config,
    bus: node.resolve<Bus>(TOKENS.bus),
    stages: record.stages,
    failed: lifeline.failed,
    inspect: () => record.inspect(),
    stop: () => stop(node),
  };
}
