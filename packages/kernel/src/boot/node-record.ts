import type { Clock, NodeInspection } from '@it-chain/contracts';
import type { HealthBoard } from '../health/health-board.js';
import type { StageReport } from './node-options.js';

/** What is known about this process: its plugins and its stages. */
export class NodeRecord {
  readonly stages: StageReport[] = [];
  readonly #board: HealthBoard;
  readonly #startedAt: number;

  constructor(dependencies: { readonly clock: Clock; readonly board: HealthBoard }) {
    this.#board = dependencies.board;
    this.#startedAt = dependencies.clock.now();
  }

  inspect(): NodeInspection {
    return { plugins: this.#board.rows(), stages: [...this.stages], startedAt: this.#startedAt };
  }
}
