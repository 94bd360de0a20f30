import {
  runCore,
  runNodes,
  runTwins,
  type CoreRunOptions,
  type NodeRunReport,
  type RunReport,
} from '@it-chain/testkit';
import { shippedMachine } from './shipped-machine.js';
import { shippedNodes } from './shipped-plugins.js';
import type { SimulatorKind } from './worker.js';

/** One run of a simulator. */
export interface SeedOptions extends CoreRunOptions {
  /** Rounds of a Twins case. */
  readonly rounds?: number | undefined;
}

/** What became of it. */
export type SeedReport = Omit<RunReport, 'plan'> & Partial<Pick<NodeRunReport, 'lies' | 'evidence' | 'validators'>>;

/** Runs one seed of a simulator with what this repository ships. */
export async function runSeed(kind: SimulatorKind, options: SeedOptions): Promise<SeedReport> {
  const { seed, rounds = 2, trace } = options;
  switch (kind) {
    case 'core':
      return runCore(shippedMachine, options);
    case 'twins':
      return { seed, ...runTwins(shippedMachine, seed, rounds, trace) };
    case 'node':
      return runNodes(shippedNodes, { ...options, plan: undefined });
  }
}
