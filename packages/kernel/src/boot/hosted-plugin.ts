import { inject, injectable } from 'tsyringe';
import { failure, type Clock, type PluginState, type Running } from '@it-chain/contracts';
import type { ConfiguredPlugin, LoadedConfig } from '../config/config-options.js';
import type { BoundPlugin } from '../context/plugin-context.js';
import type { HealthBoard } from '../health/health-board.js';
import { addressesOf } from '../plugins/loaded-plugin.js';
import type { Lifeline } from './lifeline.js';
import { runPhase, type Phase } from './phase.js';
import { TOKENS } from './tokens.js';
import type { UndoStack } from './undo-stack.js';

/** Takes one plugin through its life, each phase within its limit. Resolved from the plugin's own child container. */
@injectable()
export class HostedPlugin {
  #running: Running = {};

  constructor(
    @inject(TOKENS.plugin) readonly configured: ConfiguredPlugin,
    @inject(TOKENS.binding) readonly binding: BoundPlugin,
    @inject(TOKENS.config) private readonly loaded: LoadedConfig,
    @inject(TOKENS.clock) private readonly clock: Clock,
    @inject(TOKENS.board) private readonly board: HealthBoard,
    @inject(TOKENS.lifeline) private readonly lifeline: Lifeline,
    @inject(TOKENS.undo) private readonly undo: UndoStack,
  ) {}

  get name(): string {
    return this.configured.plugin.name;
  }

  /** Runs `setup`, which only records; then everything that the plugin promises must have been recorded. */
  async setup(): Promise<void> {
    const { plugin, plays } = this.configured;
    const { setupMs } = this.loaded.config.timeouts;
    const result: unknown = await this.run('setup', setupMs, () => plugin.setup(this.binding.context as never));
    this.#running = this.checkShape(result);
    const served = addressesOf(this.binding.served);
    const missing = addressesOf(plays).filter((address) => !served.includes(address));
    if (missing.length > 0) {
      throw failure(
        'ERR_PLUGIN_NOT_SERVED',
        `the plugin ${this.name} does not serve ${missing.join(', ')} in its setup`,
        {
          hint: 'call context.serve for every role that the manifest provides',
          data: { plugin: this.name, phase: 'setup' },
        },
      );
    }
    this.state('set-up');
  }

  /** Subscribes what `setup` asked for. */
  async listen(): Promise<void> {
    this.undo.push(`unbinding of plugin ${this.name}`, () => this.binding.unbind());
    await this.lifeline.race(this.binding.bindListeners());
  }

  /** Runs `start`, then serves the plugin's roles: reachable means ready. */
  async start(): Promise<void> {
    const { startMs } = this.loaded.config.timeouts;
    this.state('starting');
    // Noted before it runs: a start that fails half-way may have opened something that only its stop can close.
    this.undo.push(`stop of plugin ${this.name}`, () => this.stop());
    await this.run('start', startMs, () => this.#running.start?.());
    await this.run('serve', startMs, () => this.binding.bindRoles());
    this.state('ready');
  }

  /** Opens the plugin's doors to the outside. */
  async accept(): Promise<void> {
    const { startMs } = this.loaded.config.timeouts;
    for (const open of this.binding.accepts) {
      const opening = Promise.resolve().then(open);
      // Noted when it opens, in time or too late: a door that opens after the limit is closed at once.
      const noted = opening.then((close) => {
        if (typeof close === 'function') this.undo.push(`closing of the doors of plugin ${this.name}`, close);
      });
      await this.run('accept', startMs, () => noted);
    }
  }

  /** True where the plugin brings the bus. */
  get bringsBus(): boolean {
    return this.binding.openBus !== undefined;
  }

  /** Runs a phase; its failure is the plugin's state. */
  async run<T>(phase: Phase, limitMs: number, work: () => T | PromiseLike<T>): Promise<Awaited<T>> {
    try {
      return await this.lifeline.race(runPhase({ plugin: this.name, phase, limitMs }, this.clock, work));
    } catch (error) {
      this.state('failed');
      throw error;
    }
  }

  private async stop(): Promise<void> {
    const failed = this.board.rows().find(({ name }) => name === this.name)?.state === 'failed';
    if (!failed) this.state('stopping');
    await this.binding.unbind();
    await this.#running.stop?.();
    if (!failed) this.state('stopped');
  }

  private state(state: PluginState): void {
    this.board.setState(this.name, state);
  }

  private checkShape(result: unknown): Running {
    if (result === undefined) return {};
    const fields = typeof result === 'object' && result !== null ? (result as Record<string, unknown>) : undefined;
    const bad = ['start', 'stop'].filter((key) => fields?.[key] !== undefined && typeof fields[key] !== 'function');
    const strange = Object.keys(fields ?? {}).filter((key) => key !== 'start' && key !== 'stop');
    const isInstance = fields !== undefined && Object.getPrototypeOf(fields) !== Object.prototype;
    // An object of a class may carry anything beside start and stop; a plain one only these, so that `strat` is found.
    if (fields !== undefined && bad.length === 0 && (isInstance || strange.length === 0)) return fields as Running;
    const what = fields === undefined ? `a ${typeof result}` : `an object with ${[...bad, ...strange].join(', ')}`;
    this.state('failed');
    throw failure('ERR_PLUGIN_SHAPE', `the setup of the plugin ${this.name} gave back ${what}`, {
      hint: 'return { start, stop } with functions, or nothing',
      data: { plugin: this.name, phase: 'setup' },
    });
  }
}
