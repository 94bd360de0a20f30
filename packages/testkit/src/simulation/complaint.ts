import type { Block } from '@it-chain/contracts';
import type { SimulatedProcess } from './process.js';

/** A transaction that waited so long while blocks left it out is a reason to complain, in ms. */
const COMPLAINT_MS = 3_000;
const COMPLAINT_BLOCKS = 3;

/**
 * The complaint rule, which the driver keeps for the machine: blocks less than half full leave out what has waited long.
 * @returns true where it is time to ask for another leader
 */
export function countLeftOut<State>(node: SimulatedProcess<State>, block: Block, now: number): boolean {
  if (block.transactions.length > 1) return false;
  let due = false;
  for (const [transaction, since] of node.pool) {
    if (now - since < COMPLAINT_MS) break;
    const count = (node.leftOut.get(transaction) ?? 0) + 1;
    node.leftOut.set(transaction, count);
    due ||= count >= COMPLAINT_BLOCKS;
  }
  if (due) node.leftOut.clear();
  return due;
}
