import { inject, injectable, type DependencyContainer } from 'tsyringe';
import { failure, type Clock, type NodeIdentity } from '@it-chain/contracts';
import type { LoadedConfig } from '../../config/config-options.js';
import { openIdentity, type OpenIdentity } from '../../identity/index.js';
import type { Logs } from '../../log/logs.js';
import { openDataDirectory } from '../data-directory.js';
import { lockDirectory } from '../directory-lock.js';
import type { Failpoints } from '../../services/failpoints.js';
import type { NodeOptions } from '../node-options.js';
import { RemoteIdentity } from '../remote-identity.js';
import { TOKENS } from '../tokens.js';
import type { UndoStack } from '../undo-stack.js';
import type { Stage } from './stage.js';

/** Who this process is: the key where it holds it, else the id that the config gives. */
export interface StagedIdentity {
  readonly identity: NodeIdentity;
  /** Present in the one process of a node that holds the key. */
  readonly holder?: OpenIdentity | undefined;
  /** Present in the others: learns the public key over the bus. */
  readonly remote?: RemoteIdentity | undefined;
}

/** Makes and locks the data directory, and opens the node's key. */
@injectable()
export class IdentityStage implements Stage {
  constructor(
    @inject(TOKENS.container) private readonly container: DependencyContainer,
    @inject(TOKENS.options) private readonly options: NodeOptions,
    @inject(TOKENS.config) private readonly loaded: LoadedConfig,
    @inject(TOKENS.clock) private readonly clock: Clock,
    @inject(TOKENS.logs) private readonly logs: Logs,
    @inject(TOKENS.failpoints) private readonly failpoints: Failpoints,
    @inject(TOKENS.undo) private readonly undo: UndoStack,
  ) {}

  async run(): Promise<void> {
    const staged = await this.#open();
    this.logs.bindNode(staged.identity.nodeId);
    this.container.register(TOKENS.identity, { useValue: staged });
  }

  async #open(): Promise<StagedIdentity> {
    const given = this.options.services?.identity;
    if (given !== undefined) return this.#hold(given);
    const { dataDir, name, id } = this.loaded.config.node;
    if (!this.loaded.holdsKey && id === undefined) {
      throw failure(
        'ERR_CONFIG_INVALID',
        'node.id is missing: a process without the role identity must be told who it is',
        {
          hint: 'set node.id to what `it-chain id` prints, or add identity to --only',
          data: { path: 'node.id' },
        },
      );
    }
    const log = this.logs.of('kernel');
    const { pass: failpoint, notice } = this.failpoints;
    if (notice !== undefined) log.warn(notice);
    openDataDirectory(dataDir, log);
    const parts = this.loaded.plugins.map(({ role, plugin }) => role ?? plugin.name);
    const release = await lockDirectory(dataDir, this.loaded.holdsKey ? [...parts, 'identity'] : parts);
    this.undo.push('unlocking of the data directory', release);
    if (id !== undefined && !this.loaded.holdsKey) {
      const remote = new RemoteIdentity({ nodeId: id, name });
      return { identity: remote, remote };
    }
    const { acceptDoubleSignRisk = false } = this.options;
    const holder = await openIdentity({ dataDir, name, clock: this.clock, acceptDoubleSignRisk, log, failpoint });
    const held = this.#hold(holder);
    if (id !== undefined && id !== holder.identity.nodeId) {
      throw failure(
        'ERR_CONFIG_INVALID',
        `node.id is ${id}, but the key in ${dataDir} is that of ${holder.identity.nodeId}`,
        {
          hint: 'remove node.id, or point node.dataDir at the right folder',
          data: { path: 'node.id' },
        },
      );
    }
    return held;
  }

  #hold(holder: OpenIdentity): StagedIdentity {
    this.undo.push('closing of the identity', () => holder.close());
    return { identity: holder.identity, holder };
  }
}
