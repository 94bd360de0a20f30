import type { MachineOptions } from './machine.js';
import { SIMULATED_NETWORK } from './stub-chain.js';

/** The options of a simulated machine: those of a local network where nothing else is asked for. */
export function machineOptions(options: Partial<MachineOptions> = {}): Omit<MachineOptions, 'self'> {
  return {
    network: SIMULATED_NETWORK,
    leaderTerm: 0,
    baseTimeoutMs: 1_000,
    maxTimeoutMs: 8_000,
    rebroadcastMs: 250,
    statusMs: 1_000,
    roundWindow: 10,
    decidedReach: 5,
    maxPeers: 100,
    acceptDoubleSignRisk: false,
    ...options,
  };
}
