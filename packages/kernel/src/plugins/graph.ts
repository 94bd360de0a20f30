import { roleAddress, type Role } from '@it-chain/contracts';
import type { Problem } from '../config/problem.js';
import { addressesOf, displayRole, type LoadedPlugin } from './loaded-plugin.js';

/** What the graph is made from. */
export interface GraphInput {
  readonly plugins: readonly LoadedPlugin[];
  /** Names of roles that another process of this node serves; its versions are not known here. */
  readonly remote: readonly string[];
  /** Addresses of roles that belong to the kernel, wherever they are served. */
  readonly kernel: readonly string[];
}

/** Everything that is wrong with how the plugins fit together; empty where they do. */
export function checkGraph(input: GraphInput): readonly Problem[] {
  const clashes = [...findDuplicates(input.plugins), ...findTakenRoles(input)];
  const missing = findMissingRoles(input);
  const cycle = findCycle(input.plugins);
  return [...clashes, ...missing, ...(cycle === undefined ? [] : [cycle])];
}

/**
 * The order of start: each plugin after those whose roles it requires; among those that are free, `first` (the one that
 * brings the bus) and then by name, so that the order of the config decides nothing.
 * Plugins of a cycle are left out: {@link checkGraph} names them.
 */
export function startOrder(plugins: readonly LoadedPlugin[], first?: string): readonly LoadedPlugin[] {
  const provider = providers(plugins);
  const waiting = new Set(plugins);
  const order: LoadedPlugin[] = [];
  const rank = (loaded: LoadedPlugin): string => (loaded.plugin.name === first ? '' : loaded.plugin.name);
  const sorted = [...plugins].sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
  for (;;) {
    const next = sorted.find((loaded) => waiting.has(loaded) && needs(loaded, provider).every((n) => !waiting.has(n)));
    if (next === undefined) return order;
    waiting.delete(next);
    order.push(next);
  }
}

/** The roles that `loaded` must wait for because another process serves them. */
export function remoteNeeds(loaded: LoadedPlugin, plugins: readonly LoadedPlugin[]): readonly Role[] {
  const provider = providers(plugins);
  return loaded.plugin.requires.filter((role) => !provider.has(roleAddress(role)));
}

/** Roles that a plugin uses and nobody provides: not an error, since it may be meant, but worth a warning. */
export function unservedUses(input: GraphInput): readonly { readonly plugin: string; readonly role: string }[] {
  const known = new Set([...providers(input.plugins).keys(), ...input.kernel]);
  return input.plugins.flatMap(({ plugin }) =>
    plugin.uses
      .filter((role) => !known.has(roleAddress(role)) && !input.remote.includes(role.name))
      .map((role) => ({ plugin: plugin.name, role: roleAddress(role) })),
  );
}

function providers(plugins: readonly LoadedPlugin[]): ReadonlyMap<string, LoadedPlugin> {
  return new Map(plugins.flatMap((loaded) => addressesOf(loaded.plays).map((address) => [address, loaded] as const)));
}

function needs(loaded: LoadedPlugin, provider: ReadonlyMap<string, LoadedPlugin>): readonly LoadedPlugin[] {
  return addressesOf(loaded.plugin.requires)
    .map((address) => provider.get(address))
    .filter((other): other is LoadedPlugin => other !== undefined);
}

function findDuplicates(plugins: readonly LoadedPlugin[]): readonly Problem[] {
  const seen = new Map<string, LoadedPlugin>();
  const problems: Problem[] = [];
  for (const loaded of plugins) {
    const { name } = loaded.plugin;
    const other = seen.get(name);
    if (other === undefined) {
      seen.set(name, loaded);
      continue;
    }
    problems.push({
      code: 'ERR_PLUGIN_DUPLICATE',
      path: loaded.at,
      message: `the plugin ${name} (${loaded.use}) is listed already at ${other.at} (${other.use})`,
      hint: `remove ${loaded.at} or ${other.at}`,
    });
  }
  return problems;
}

function findTakenRoles({ plugins, kernel }: GraphInput): readonly Problem[] {
  const taken = new Map<string, LoadedPlugin>();
  const problems: Problem[] = [];
  for (const loaded of plugins) {
    for (const address of addressesOf(loaded.plays)) {
      const other = taken.get(address);
      const holder = kernel.includes(address)
        ? 'the kernel'
        : other !== undefined && other.plugin.name !== loaded.plugin.name
          ? `the plugin ${other.plugin.name} at ${other.at}`
          : undefined;
      if (other === undefined) taken.set(address, loaded);
      if (holder === undefined) continue;
      problems.push({
        code: 'ERR_PLUGIN_ROLE_TAKEN',
        path: loaded.at,
        message: `the plugin ${loaded.plugin.name} plays the role ${address}, which ${holder} plays already`,
        hint: 'keep one plugin for each role',
      });
    }
  }
  return problems;
}

function findMissingRoles({ plugins, remote, kernel }: GraphInput): readonly Problem[] {
  const known = new Set([...providers(plugins).keys(), ...kernel]);
  return plugins.flatMap((loaded) =>
    loaded.plugin.requires
      .filter((role) => !known.has(roleAddress(role)) && !remote.includes(role.name))
      .map((role): Problem => {
        const other = [...known].find((address) => address.startsWith(`${role.name}.v`));
        return {
          code: 'ERR_PLUGIN_ROLE_MISSING',
          path: loaded.at,
          message: `the plugin ${loaded.plugin.name} requires the role ${roleAddress(role)}, which no plugin provides`,
          hint:
            other === undefined
              ? `add a plugin that provides ${role.name} to the list of plugins`
              : `${other} is provided; install versions that speak the same major`,
        };
      }),
  );
}

function findCycle(plugins: readonly LoadedPlugin[]): Problem | undefined {
  const provider = providers(plugins);
  const done = new Set(startOrder(plugins));
  const stuck = [...plugins].filter((loaded) => !done.has(loaded));
  let current = stuck[0];
  const walked: LoadedPlugin[] = [];
  // Whoever is stuck needs somebody who is stuck, so the walk must come back to a plugin that it has seen.
  while (current !== undefined && !walked.includes(current)) {
    walked.push(current);
    current = needs(current, provider).find((other) => !done.has(other));
  }
  if (current === undefined) return undefined;
  const circle = [...walked.slice(walked.indexOf(current)), current];
  const names = circle.map((loaded) => `${loaded.plugin.name} (${displayRole(loaded)})`).join(' -> ');
  return {
    code: 'ERR_PLUGIN_CYCLE',
    path: current.at,
    message: `plugins require each other in a circle: ${names}`,
    hint: 'turn one requires of the circle into uses, which implies no order',
  };
}
