import type { Health, NodeInspection, PluginState } from '@it-chain/contracts';

type PluginRow = NodeInspection['plugins'][number];

/** What is known of one plugin when it is put on the board. */
export interface BoardEntry {
  readonly name: string;
  readonly role: string;
  readonly version: string;
  readonly state: PluginState;
}

const OK: Health = { state: 'ok' };

/** State and health of every plugin of this process; those that run elsewhere are `remote`. */
export class HealthBoard {
  readonly #rows = new Map<string, PluginRow>();

  /** Puts a plugin on the board, healthy. */
  add(entry: BoardEntry): void {
    this.#rows.set(entry.name, { ...entry, health: OK });
  }

  setState(name: string, state: PluginState): void {
    const row = this.#rows.get(name);
    if (row !== undefined) this.#rows.set(name, { ...row, state });
  }

  setHealth(name: string, health: Health): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    const { state, reason } = health;
    this.#rows.set(name, { ...row, health: reason === undefined ? { state } : { state, reason } });
  }

  rows(): readonly PluginRow[] {
    return [...this.#rows.values()];
  }
}

/** The health of the node: that of its worst plugin, with the names of all that are not well. */
export function nodeHealth(plugins: NodeInspection['plugins']): Health {
  const unwell = plugins.filter((plugin) => plugin.health.state !== 'ok' || plugin.state === 'failed');
  if (unwell.length === 0) return OK;
  const failing = unwell.some((plugin) => plugin.health.state === 'failing' || plugin.state === 'failed');
  const reason = unwell.map((plugin) => `${plugin.name}: ${plugin.health.reason ?? plugin.state}`).join('; ');
  return { state: failing ? 'failing' : 'degraded', reason };
}
