import { runCore, type CoreRunOptions, type RunReport } from '@it-chain/testkit';
import { shippedMachine } from './shipped-machine.js';
import type { SimulatorKind } from './worker.js';

/** Runs one seed of a simulator with what this repository ships. */
export async function runSeed(_kind: SimulatorKind, options: CoreRunOptions): Promise<RunReport> {
  return runCore(shippedMachine, options);
}
