import { inject, injectable } from 'tsyringe';
import type { HostedPlugin } from '../hosted-plugin.js';
import { TOKENS } from '../tokens.js';
import type { Stage } from './stage.js';

/** Opens the doors to the outside, when everything behind them is ready. */
@injectable()
export class AcceptStage implements Stage {
  constructor(@inject(TOKENS.plugins) private readonly lives: readonly HostedPlugin[]) {}

  async run(): Promise<void> {
    for (const life of this.lives) await life.accept();
  }
}
