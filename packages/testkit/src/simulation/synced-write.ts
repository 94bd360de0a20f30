import type { Moments } from './moments.js';
import type { SimulatedProcess } from './process.js';

/** How a synced write ends. */
export interface SyncedWrite {
  /** Changes the disk. */
  readonly apply: () => void;
  /** It is done, and the process is still there. */
  readonly done: () => void;
  /** The disk is lost: the node must end. */
  readonly lost: () => void;
}

/** A synced write: it may fail for a while or for good, and a crash before its end leaves it whole or undone. */
export function writeSynced<State>(node: SimulatedProcess<State>, moments: Moments<State>, write: SyncedWrite): void {
  const { disk, random } = node;
  if (disk.fatal > 0 && random.chance(disk.fatal)) {
    moments.later(node, write.lost);
    return;
  }
  if (disk.transient > 0 && random.chance(disk.transient)) {
    moments.later(node, () => writeSynced(node, moments, write), 50);
    return;
  }
  node.inFlight.push(write.apply);
  moments.later(node, () => {
    node.inFlight = node.inFlight.filter((one) => one !== write.apply);
    write.apply();
    write.done();
  });
}
