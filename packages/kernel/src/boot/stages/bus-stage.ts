import { join } from 'node:path';
import { inject, injectable, type DependencyContainer } from 'tsyringe';
import {
  busNamespace,
  failure,
  isItChainError,
  messageOf,
  type Bus,
  type Clock,
  type Metrics,
} from '@it-chain/contracts';
import type { ConfiguredPlugin, LoadedConfig } from '../../config/config-options.js';
import { createPluginContext, type BoundPlugin } from '../../context/plugin-context.js';
import { MemoryBus } from '../../bus/memory-bus.js';
import type { HealthBoard } from '../../health/health-board.js';
import type { Logs } from '../../log/logs.js';
import type { Failpoints } from '../../services/failpoints.js';
import type { Verifier } from '../../services/verifier.js';
import type { Lifeline } from '../lifeline.js';
import type { NodeRecord } from '../node-record.js';
import type { NodeOptions } from '../node-options.js';
import { HostedPlugin } from '../hosted-plugin.js';
import { TOKENS } from '../tokens.js';
import type { UndoStack } from '../undo-stack.js';
import { withLimit } from '../with-limit.js';
import type { StagedIdentity } from './identity-stage.js';
import type { Stage } from './stage.js';

/**
 * Runs every `setup`, which only records what is wanted (the bus among it), then opens the bus. What was recorded becomes
 * real in the next stage.
 */
@injectable()
export class BusStage implements Stage {
  #bus: Bus | undefined;

  constructor(
    @inject(TOKENS.container) private readonly container: DependencyContainer,
    @inject(TOKENS.options) private readonly options: NodeOptions,
    @inject(TOKENS.config) private readonly loaded: LoadedConfig,
    @inject(TOKENS.identity) private readonly staged: StagedIdentity,
    @inject(TOKENS.clock) private readonly clock: Clock,
    @inject(TOKENS.random) private readonly random: (length: number) => Uint8Array,
    @inject(TOKENS.verifier) private readonly verifier: Verifier,
    @inject(TOKENS.metrics) private readonly metrics: Metrics,
    @inject(TOKENS.logs) private readonly logs: Logs,
    @inject(TOKENS.board) private readonly board: HealthBoard,
    @inject(TOKENS.record) private readonly record: NodeRecord,
    @inject(TOKENS.failpoints) private readonly failpoints: Failpoints,
    @inject(TOKENS.lifeline) private readonly lifeline: Lifeline,
    @inject(TOKENS.undo) private readonly undo: UndoStack,
  ) {}

  async run(): Promise<void> {
    const lives = this.loaded.plugins.map((configured) => this.#live(configured));
    for (const life of lives) await life.setup();
    const bus = await this.#open(lives);
    this.#bus = bus;
    await this.#bindIdentity(bus);
    this.container.register(TOKENS.bus, { useValue: bus });
    this.container.register(TOKENS.plugins, { useValue: lives });
  }

  /** Each plugin lives in a container of its own, so that nothing of one is ever resolved for another. */
  #live(configured: ConfiguredPlugin): HostedPlugin {
    const child = this.container.createChildContainer();
    child.register(TOKENS.plugin, { useValue: configured });
    child.register(TOKENS.binding, { useValue: this.#bind(configured) });
    return child.resolve(HostedPlugin);
  }

  #bind({ plugin, role, config }: ConfiguredPlugin): BoundPlugin {
    const { node, bus, limits } = this.loaded.config;
    const { solo = false, version, acceptDoubleSignRisk } = this.options;
    return createPluginContext({
      plugin,
      role,
      config,
      log: this.logs.of(plugin.name),
      clock: this.clock,
      metrics: this.metrics,
      verify: (checks) => this.verifier.verify(checks),
      random: this.random,
      identity: this.staged.identity,
      bus: () => this.#requireBus(plugin.name),
      node: { dataDir: node.dataDir, name: node.name, solo, version, acceptDoubleSignRisk },
      busConfig: bus.listen === undefined ? bus : { ...bus, foreign: this.loaded.foreign },
      limits,
      pluginDataDir: join(node.dataDir, 'plugins', plugin.name.replace(/[^\w.-]/g, '-')),
      inspect: () => this.record.inspect(),
      fatal: (kind, error) => {
        this.logs.of(plugin.name).error('the plugin ends the node', { kind, error });
        if (!this.lifeline.fatal(plugin.name, kind, error)) return;
        this.board.setHealth(plugin.name, { state: 'failing', reason: messageOf(error) });
      },
      failpoint: this.failpoints.pass,
      onHealth: (health) => {
        this.board.setHealth(plugin.name, health);
      },
    });
  }

  #requireBus(plugin: string): Bus {
    if (this.#bus !== undefined) return this.#bus;
    throw failure('ERR_BUS_CLOSED', `the plugin ${plugin} used the bus before it was open`, {
      hint: 'call other roles and tell events in start or later; setup only records',
    });
  }

  async #open(lives: readonly HostedPlugin[]): Promise<Bus> {
    const { bus: given, connectBus } = this.options;
    const [provider, second] = lives.filter((life) => life.bringsBus);
    if (provider !== undefined && second !== undefined) {
      throw failure('ERR_PLUGIN_TWO_BUSES', `the plugins ${provider.name} and ${second.name} both bring a bus`, {
        hint: 'keep one of them',
      });
    }
    if (given !== undefined) return this.#noted(Promise.resolve(given));
    const { startMs } = this.loaded.config.timeouts;
    if (this.loaded.config.bus.memory === true) {
      return this.#noted(
        Promise.resolve(new MemoryBus({ clock: this.clock, log: this.logs.of('bus'), metrics: this.metrics })),
      );
    }
    if (provider !== undefined) {
      // The filter above chose a life whose plugin gave this function.
      const open = provider.binding.openBus ?? (() => Promise.reject(new Error('no bus was provided')));
      const opening = this.#noted(Promise.resolve().then(open));
      return checkBus(provider.name, await provider.run('openBus', startMs, () => opening));
    }
    const { url } = this.loaded.config.bus;
    if (url === undefined || connectBus === undefined) {
      throw failure('ERR_NODE_NO_BUS', 'no plugin of this process brings a bus, and the config has no bus.url', {
        hint: 'add the gateway to the list of plugins (or to --only), or set bus.url to a broker, or bus.memory',
      });
    }
    const namespace = busNamespace(this.staged.identity.nodeId);
    const services = { clock: this.clock, log: this.logs.of('bus'), metrics: this.metrics };
    return this.#connect(url, startMs, () => connectBus(url, namespace, services));
  }

  async #connect(url: string, limitMs: number, connect: () => Promise<Bus>): Promise<Bus> {
    const place = url.replace(/\/\/[^@/]*@/, '//***@');
    try {
      const result = await this.lifeline.race(withLimit(this.#noted(connect()), limitMs, this.clock));
      if ('value' in result) return result.value;
    } catch (cause) {
      if (isItChainError(cause)) throw cause;
      throw failure('ERR_BUS_UNREACHABLE', `the broker ${place} cannot be reached: ${messageOf(cause)}`, { cause });
    }
    throw failure('ERR_BUS_UNREACHABLE', `the broker ${place} did not answer within ${String(limitMs)} ms`);
  }

  /** A bus is closed with the node, also one that opens after its limit. */
  async #noted(opening: Promise<Bus>): Promise<Bus> {
    const bus = (await opening) as Partial<Bus> | undefined;
    this.undo.push('closing of the bus', () => bus?.close?.());
    // What is no bus is refused by the caller.
    return bus as Bus;
  }

  async #bindIdentity(bus: Bus): Promise<void> {
    const { holder, remote } = this.staged;
    if (holder !== undefined) {
      const registration = await this.lifeline.race(holder.serve(bus));
      this.undo.push('unbinding of the identity', () => registration.close());
    }
    if (remote === undefined) return;
    this.logs.of('kernel').info('waiting for the role identity, which another process of this node serves');
    await this.lifeline.race(remote.learn(bus, this.loaded.config.timeouts.remoteRoleMs));
  }
}

function checkBus(plugin: string, bus: unknown): Bus {
  const calls = ['serve', 'request', 'publish', 'subscribe', 'cast', 'listen', 'waitForRole', 'close'];
  const missing = calls.filter((call) => typeof (bus as Record<string, unknown> | undefined)?.[call] !== 'function');
  if (missing.length === 0) return bus as Bus;
  throw failure('ERR_PLUGIN_SHAPE', `the bus of the plugin ${plugin} lacks ${missing.join(', ')}`, {
    hint: 'give provideBus a function that resolves with a Bus',
    data: { plugin, phase: 'openBus' },
  });
}
