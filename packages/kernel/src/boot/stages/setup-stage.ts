import { inject, injectable } from 'tsyringe';
import type { HostedPlugin } from '../hosted-plugin.js';
import { TOKENS } from '../tokens.js';
import type { Stage } from './stage.js';

/** Makes real what every `setup` asked for: from here on each plugin hears its events. */
@injectable()
export class SetupStage implements Stage {
  constructor(@inject(TOKENS.plugins) private readonly lives: readonly HostedPlugin[]) {}

  async run(): Promise<void> {
    for (const life of this.lives) await life.listen();
  }
}
