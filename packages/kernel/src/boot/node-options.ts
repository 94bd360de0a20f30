import type { Bus, Clock, FatalKind, Log, Metrics, NodeIdentity, NodeInspection } from '@it-chain/contracts';
import type { DestinationStream } from 'pino';
import type { ConfigOptions } from '../config/config-options.js';
import type { NodeConfig } from '../config/node-config.js';
import type { OpenIdentity } from '../identity/index.js';
import type { Verifier } from '../services/verifier.js';

/** The stages of a start, in their order. */
export const STAGE_NAMES = ['config', 'load', 'identity', 'bus', 'setup', 'start', 'accept', 'ready'] as const;
/** A stage of the start. */
export type StageName = (typeof STAGE_NAMES)[number];

/** A stage that is over, and how long it took. */
export interface StageReport {
  readonly name: StageName;
  readonly ms: number;
}

/** What is given instead of the machine's own, by tests and by the simulator. */
export interface NodeServices {
  readonly clock?: Clock | undefined;
  /** Random bytes of a length, instead of those of the system. */
  readonly random?: ((length: number) => Uint8Array) | undefined;
  readonly verifier?: Verifier | undefined;
  /** A key that is not in a file. The data directory is then neither made nor locked. */
  readonly identity?: OpenIdentity | undefined;
}

/** What a bus gets of the process that it serves. */
export interface BusServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** How a node is started. */
export interface NodeOptions extends ConfigOptions {
  /** The version of the software, for the status page. */
  readonly version: string;
  /** --solo: the node founds a network of its own at once. */
  readonly solo?: boolean | undefined;
  /** --accept-double-sign-risk */
  readonly acceptDoubleSignRisk?: boolean | undefined;
  /** A bus instead of the one that a plugin brings; closed with the node. */
  readonly bus?: Bus | undefined;
  /** Connects to the broker of bus.url where no plugin of this process brings the bus. */
  readonly connectBus?: ((url: string, namespace: string, services: BusServices) => Promise<Bus>) | undefined;
  /** Told each stage when it is over. */
  readonly onStage?: ((stage: StageReport) => void) | undefined;
  /** Ends the start: what had started is stopped, and {@link startNode} throws ERR_NODE_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** Where log lines go instead of standard output. */
  readonly logDestination?: DestinationStream | undefined;
  readonly services?: NodeServices | undefined;
}

/** Why a node must end: a plugin called `context.fatal`. */
export interface NodeFailure {
  readonly kind: FatalKind;
  readonly error: Error;
  /** The plugin that called. */
  readonly plugin: string;
}

/** A node that is ready. */
export interface RunningNode {
  readonly nodeId: string;
  readonly identity: NodeIdentity;
  readonly config: NodeConfig;
  /** The bus, for the command and for tests. */
  readonly bus: Bus;
  readonly stages: readonly StageReport[];
  /** What runs in this node: plugins, roles and health. */
  inspect(): NodeInspection;
  /** Resolves when a plugin ends the node on purpose; whoever runs the node stops it and exits. Never rejects. */
  readonly failed: Promise<NodeFailure>;
  /**
   * Closes doors, stops the plugins in reverse and closes the bus, within `timeouts.stopMs` in all. Gives what went
   * wrong on the way; never throws. A second call gives the result of the first.
   */
  stop(): Promise<readonly Error[]>;
}
