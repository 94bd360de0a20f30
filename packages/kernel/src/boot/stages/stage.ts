import type { StageName } from '../node-options.js';

/** One stage of the start. Its results go into the node's container; what it did goes onto the undo stack. */
export interface Stage {
  run(): Promise<void>;
}

/** A stage's class, as the container makes it. */
export interface StageEntry {
  readonly name: StageName;
  // The container fills the constructor by tokens, so its parameters are nobody's business here.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly stage: new (...parts: any[]) => Stage;
}
