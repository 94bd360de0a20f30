import { readFileSync, readdirSync } from 'node:fs';

/** Resident memory of a process, in MB; 0 when it is gone. */
export function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    // It ended between the question and the answer.
    return 0;
  }
}

/** Open file descriptors of a process; 0 when it is gone. */
export function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    // As above.
    return 0;
  }
}
