import { roleAddress, type BusNeeds, type Plugin, type Role } from '@it-chain/contracts';

/** A plugin that was imported and checked, with the part that it plays in this node. */
export interface LoadedPlugin {
  readonly plugin: Plugin;
  /** Where the config names it: `plugins[2]`. */
  readonly at: string;
  /** What the config's entry says: a package, a path, or the name of a plugin given as an object. */
  readonly use: string;
  /** The name of the role that it plays; absent for a plugin that only listens. */
  readonly role?: string | undefined;
  /** The definitions of that role that it serves, one for each major version. */
  readonly plays: readonly Role[];
  /** Present for a plugin that runs in a process of its own, of which this node knows the manifest only. */
  readonly foreign?: BusNeeds | undefined;
}

/** The name under which a plugin is shown and configured from outside: its role, else its own name. */
export function displayRole(loaded: Pick<LoadedPlugin, 'plugin' | 'role'>): string {
  return loaded.role ?? loaded.plugin.name;
}

/** The addresses of roles, `txpool.v1`. */
export function addressesOf(roles: readonly Role[]): readonly string[] {
  return roles.map(roleAddress);
}
