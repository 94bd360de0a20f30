import { inject, injectable } from 'tsyringe';
import type { Logs } from '../../log/logs.js';
import type { NodeRecord } from '../node-record.js';
import { TOKENS } from '../tokens.js';
import type { Stage } from './stage.js';

/** Says that the node is ready. */
@injectable()
export class ReadyStage implements Stage {
  constructor(
    @inject(TOKENS.logs) private readonly logs: Logs,
    @inject(TOKENS.record) private readonly record: NodeRecord,
  ) {}

  run(): Promise<void> {
    const { plugins, stages } = this.record.inspect();
    const ms = Math.round(stages.reduce((sum, stage) => sum + stage.ms, 0));
    this.logs.of('kernel').info('the node is ready', { plugins: plugins.map(({ name }) => name), ms });
    return Promise.resolve();
  }
}
