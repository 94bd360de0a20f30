import { inject, injectable } from 'tsyringe';
import { roleAddress, type Bus } from '@it-chain/contracts';
import type { LoadedConfig } from '../../config/config-options.js';
import type { Logs } from '../../log/logs.js';
import { remoteNeeds, startOrder } from '../../plugins/graph.js';
import { KERNEL_ROLES } from '../../config/load-config.js';
import type { Lifeline } from '../lifeline.js';
import type { HostedPlugin } from '../hosted-plugin.js';
import { TOKENS } from '../tokens.js';
import type { Stage } from './stage.js';

/** Starts the plugins in the order of their roles; a role that another process serves is waited for. */
@injectable()
export class StartStage implements Stage {
  constructor(
    @inject(TOKENS.config) private readonly loaded: LoadedConfig,
    @inject(TOKENS.plugins) private readonly lives: readonly HostedPlugin[],
    @inject(TOKENS.bus) private readonly bus: Bus,
    @inject(TOKENS.logs) private readonly logs: Logs,
    @inject(TOKENS.lifeline) private readonly lifeline: Lifeline,
  ) {}

  async run(): Promise<void> {
    const configured = this.lives.map((life) => life.configured);
    const first = this.lives.find((life) => life.bringsBus)?.name;
    for (const next of startOrder(configured, first)) {
      const life = this.lives.find(({ name }) => name === next.plugin.name);
      if (life === undefined) continue;
      await this.#waitForOthers(life);
      await life.start();
    }
  }

  async #waitForOthers(life: HostedPlugin): Promise<void> {
    const { remoteRoleMs } = this.loaded.config.timeouts;
    for (const role of remoteNeeds(
      life.configured,
      this.lives.map(({ configured }) => configured),
    )) {
      const address = roleAddress(role);
      if (KERNEL_ROLES.includes(address)) continue;
      this.logs
        .of('kernel')
        .info(`${life.name} waits for the role ${address}, which another process of this node serves`);
      await this.lifeline.race(this.bus.waitForRole(address, remoteRoleMs));
    }
  }
}
