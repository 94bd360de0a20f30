import type { State } from '@it-chain/plugin-consensus';
import { CoreNetwork, type SimulatedProcess } from '@it-chain/testkit';
import { shippedMachine } from './shipped-machine.js';

/** A process of the shipped machine. */
export type SimulatedNode = SimulatedProcess<State>;

/** `n` shipped machines with the timeouts of a local network: T0 1 s, Tmax 8 s. */
export function simulatedNetwork(n: number, seed: number, founders = n): CoreNetwork<State> {
  return new CoreNetwork(shippedMachine, {
    seed,
    founders,
    identities: Array.from({ length: n }, (_, index) => index),
  });
}
