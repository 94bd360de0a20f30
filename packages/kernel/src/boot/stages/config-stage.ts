import { inject, injectable, type DependencyContainer } from 'tsyringe';
import type { Clock } from '@it-chain/contracts';
import { openConfig } from '../../config/load-config.js';
import type { NodeOptions } from '../node-options.js';
import { TOKENS } from '../tokens.js';
import type { Stage } from './stage.js';

/** Reads the config file, the environment and the flags. */
@injectable()
export class ConfigStage implements Stage {
  constructor(
    @inject(TOKENS.container) private readonly container: DependencyContainer,
    @inject(TOKENS.options) private readonly options: NodeOptions,
    @inject(TOKENS.clock) private readonly clock: Clock,
  ) {}

  async run(): Promise<void> {
    const open = await openConfig(this.options, this.clock);
    this.container.register(TOKENS.openConfig, { useValue: open });
  }
}
