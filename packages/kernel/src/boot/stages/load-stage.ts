import { inject, injectable, type DependencyContainer } from 'tsyringe';
import type { Clock } from '@it-chain/contracts';
import type { OpenConfig } from '../../config/config-options.js';
import { loadConfigured } from '../../config/load-config.js';
import type { HealthBoard } from '../../health/health-board.js';
import { Logs } from '../../log/logs.js';
import { displayRole } from '../../plugins/loaded-plugin.js';
import type { Lifeline } from '../lifeline.js';
import type { NodeOptions } from '../node-options.js';
import { TOKENS } from '../tokens.js';
import type { UndoStack } from '../undo-stack.js';
import type { Stage } from './stage.js';

/** Loads the plugins and checks everything that can be checked without running them. Opens and writes nothing. */
@injectable()
export class LoadStage implements Stage {
  constructor(
    @inject(TOKENS.container) private readonly container: DependencyContainer,
    @inject(TOKENS.options) private readonly options: NodeOptions,
    @inject(TOKENS.openConfig) private readonly open: OpenConfig,
    @inject(TOKENS.clock) private readonly clock: Clock,
    @inject(TOKENS.board) private readonly board: HealthBoard,
    @inject(TOKENS.lifeline) private readonly lifeline: Lifeline,
    @inject(TOKENS.undo) private readonly undo: UndoStack,
  ) {}

  async run(): Promise<void> {
    const loaded = await this.lifeline.race(loadConfigured(this.open, this.clock));
    const { log } = loaded.config;
    const destination = this.options.logDestination;
    const pretty = log.pretty ?? (destination === undefined && process.stdout.isTTY);
    const logs = new Logs({ level: log.level, levels: log.levels, pretty, destination }, { clock: this.clock });
    this.undo.push('closing of the logs', () => {
      logs.close();
    });
    for (const { plugin, ...rest } of loaded.plugins) {
      const role = displayRole({ plugin, role: rest.role });
      this.board.add({ name: plugin.name, role, version: plugin.version, state: 'loaded' });
    }
    for (const { role, use, loaded: elsewhere } of loaded.remote) {
      const version = elsewhere?.plugin.version ?? '';
      this.board.add({ name: elsewhere?.plugin.name ?? use, role, version, state: 'remote' });
    }
    for (const warning of loaded.warnings) logs.of('kernel').warn(warning);
    this.container.register(TOKENS.config, { useValue: loaded });
    this.container.register(TOKENS.logs, { useValue: logs });
  }
}
