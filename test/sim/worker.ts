import { parentPort } from 'node:worker_threads';
import type { InvariantViolation } from '@it-chain/testkit';
import { runSeed, type SeedOptions, type SeedReport } from './run-seed.js';
import type { Failure } from './campaign.js';

/** Which simulator runs. */
export type SimulatorKind = 'core' | 'node' | 'twins';

/** Seeds for one thread. */
export interface Chunk {
  readonly kind: SimulatorKind;
  readonly from: number;
  readonly to: number;
  readonly nodes: number | undefined;
  readonly faults: string | undefined;
  readonly strategies: readonly string[] | undefined;
  readonly chaosMs: number | undefined;
  /** Rounds of the Twins cases; their seeds are their numbers. */
  readonly rounds: number | undefined;
}

/** What became of them. */
export interface ChunkReport {
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly simulatedMs: number;
  readonly messages: number;
  readonly steps: number;
  readonly heights: number;
  /** 16 hex digits. */
  readonly combined: string;
}

/** Every so manieth seed is run twice: its two traces must be one. */
const TWICE_EVERY = 50;

parentPort?.on('message', (chunk: Chunk | 'end') => {
  if (chunk === 'end') {
    parentPort?.close();
    return;
  }
  void runChunk(chunk).then((report) => {
    parentPort?.postMessage(report);
  });
});

async function runChunk(chunk: Chunk): Promise<ChunkReport> {
  const failures: Failure[] = [];
  let passed = 0;
  let simulatedMs = 0;
  let messages = 0;
  let steps = 0;
  let heights = 0;
  let combined = 0n;
  for (let seed = chunk.from; seed <= chunk.to; seed += 1) {
    const { kind, nodes, faults, strategies, chaosMs, rounds } = chunk;
    const options: SeedOptions = { seed, nodes, faults, strategies, chaosMs, rounds };
    const report = await runSeed(kind, options);
    const violation = report.violation ?? (await checkDeterminism(kind, options, report));
    if (violation === undefined) passed += 1;
    else failures.push({ seed, message: describe(violation), traceHash: report.traceHash });
    simulatedMs += report.simulatedMs;
    messages += report.messages;
    steps += report.steps;
    heights += report.height;
    combined ^= BigInt(`0x${report.traceHash}`);
  }
  return { passed, failures, simulatedMs, messages, steps, heights, combined: combined.toString(16) };
}

async function checkDeterminism(
  kind: SimulatorKind,
  options: SeedOptions,
  { seed, traceHash }: SeedReport,
): Promise<Pick<InvariantViolation, 'message' | 'cause'> | undefined> {
  if (seed % TWICE_EVERY !== 0) return undefined;
  const again = await runSeed(kind, options);
  if (again.traceHash === traceHash) return undefined;
  return { message: `determinism: trace ${traceHash}, then ${again.traceHash}`, cause: undefined };
}

function describe({ message, cause }: Pick<InvariantViolation, 'message' | 'cause'>): string {
  return cause instanceof Error && cause.stack !== undefined ? `${message}\n${cause.stack}` : message;
}
