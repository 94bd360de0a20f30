import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ChunkReport, Chunk, SimulatorKind } from './worker.js';

/** Which seeds are run, and how. */
export interface CampaignOptions {
  readonly kind: SimulatorKind;
  readonly from: number;
  readonly to: number;
  readonly nodes?: number | undefined;
  readonly faults?: string | undefined;
  readonly strategies?: readonly string[] | undefined;
  readonly chaosMs?: number | undefined;
  readonly rounds?: number | undefined;
  /** Threads. Default: one per core. */
  readonly jobs?: number | undefined;
  /** No new seeds are begun after so many seconds, once there are `atLeast`. */
  readonly seconds?: number | undefined;
  /** Seeds that are run however long it takes. Default 0. */
  readonly atLeast?: number | undefined;
  /** Stop at the first failure. */
  readonly bail?: boolean | undefined;
  /** Told about once per second and after each failure. */
  readonly onProgress?: ((report: CampaignReport) => void) | undefined;
}

/** A seed that broke an invariant. */
export interface Failure {
  readonly seed: number;
  readonly message: string;
  readonly traceHash: string;
}

/** What became of the seeds. */
export interface CampaignReport {
  passed: number;
  readonly failures: Failure[];
  simulatedMs: number;
  messages: number;
  steps: number;
  heights: number;
  /** CPU time of the process, all threads, in ms. */
  cpuMs: number;
  /** All trace hashes combined: equal for the same seeds on every machine. */
  combined: bigint;
}

/** Seeds per message to a thread; one where the first failure ends the run. */
const CHUNK = 10;

/** Runs seeds on several threads. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const report: CampaignReport = {
    passed: 0,
    failures: [],
    simulatedMs: 0,
    messages: 0,
    steps: 0,
    heights: 0,
    cpuMs: 0,
    combined: 0n,
  };
  const before = process.cpuUsage();
  const end = options.seconds === undefined ? Infinity : performance.now() + options.seconds * 1_000;
  const size = options.bail === true ? 1 : CHUNK;
  let next = options.from;
  const take = (): Chunk | undefined => {
    const isOver = performance.now() >= end && next - options.from >= (options.atLeast ?? 0);
    const stop = isOver || (options.bail === true && report.failures.length > 0);
    if (next > options.to || stop) return undefined;
    const { kind, nodes, faults, strategies, chaosMs, rounds } = options;
    const chunk = {
      kind,
      nodes,
      faults,
      strategies,
      chaosMs,
      rounds,
      from: next,
      to: Math.min(options.to, next + size - 1),
    };
    next = chunk.to + 1;
    return chunk;
  };
  const jobs = options.jobs ?? availableParallelism();
  await Promise.all(
    Array.from({ length: jobs }, () =>
      runWorker(take, (chunk) => {
        add(report, chunk);
        options.onProgress?.(report);
      }),
    ),
  );
  const used = process.cpuUsage(before);
  report.cpuMs = (used.user + used.system) / 1_000;
  report.failures.sort((a, b) => a.seed - b.seed);
  return report;
}

function add(report: CampaignReport, chunk: ChunkReport): void {
  report.passed += chunk.passed;
  report.failures.push(...chunk.failures);
  report.simulatedMs += chunk.simulatedMs;
  report.messages += chunk.messages;
  report.steps += chunk.steps;
  report.heights += chunk.heights;
  report.combined ^= BigInt(`0x${chunk.combined}`);
}

function runWorker(take: () => Chunk | undefined, onReport: (report: ChunkReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const first = take();
    if (first === undefined) {
      resolve();
      return;
    }
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a simulation thread ended with ${code}`));
    });
    worker.on('message', (report: ChunkReport) => {
      onReport(report);
      worker.postMessage(take() ?? 'end');
    });
    worker.postMessage(first);
  });
}
