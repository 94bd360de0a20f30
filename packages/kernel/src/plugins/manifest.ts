import { PLUGIN_API, PLUGIN_MARK, type Plugin } from '@it-chain/contracts';
import type { Problem } from '../config/problem.js';

type Finding = Pick<Problem, 'code' | 'message' | 'hint'>;

/** The plugin that a module's default export is, or what keeps it from being one. */
export type ManifestResult = { readonly plugin: Plugin } | { readonly finding: Finding };

const NAME = /^[@a-z][a-z0-9@/._-]{0,63}$/i;
const LISTS = ['provides', 'requires', 'uses'] as const;

/**
 * Recognises a plugin by its mark or, without one, by its shape: another copy of contracts, or plain JavaScript, may
 * have made it. Lists that are left out are empty.
 */
export function readManifest(exported: unknown): ManifestResult {
  if (!looksLikePlugin(exported)) {
    return invalid(`the default export is ${kindOf(exported)}, not a plugin`);
  }
  const { api } = exported;
  if (api !== PLUGIN_API) {
    return {
      finding: {
        code: 'ERR_PLUGIN_API_VERSION',
        message: `${label(exported)} was built for plugin API ${printed(api)}; this node speaks ${String(PLUGIN_API)}`,
        hint: 'install a version of the plugin that fits this node, or a node that fits the plugin',
      },
    };
  }
  const fault = faultOf(exported);
  if (fault !== undefined) return invalid(`${label(exported)}: ${fault}`);
  const lists = Object.fromEntries(LISTS.filter((list) => exported[list] === undefined).map((list) => [list, []]));
  // A missing list is filled in on an object that inherits the rest, so that `this` in setup stays what it was.
  const plugin: unknown =
    Object.keys(lists).length === 0 ? exported : Object.create(exported, Object.getOwnPropertyDescriptors(lists));
  return { plugin: plugin as Plugin };
}

/** True for a value with the mark, or with a name and a setup. */
export function looksLikePlugin(value: unknown): value is Record<PropertyKey, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<PropertyKey, unknown>;
  return fields[PLUGIN_MARK] === true || ('setup' in fields && 'name' in fields);
}

function faultOf(plugin: Record<PropertyKey, unknown>): string | undefined {
  if (typeof plugin['name'] !== 'string' || !NAME.test(plugin['name'])) {
    return `name must be 1 to 64 letters, digits and @/._-, not ${printed(plugin['name'])}`;
  }
  if (typeof plugin['version'] !== 'string' || plugin['version'] === '') return 'version must be a string';
  if (typeof plugin['setup'] !== 'function') return `setup must be a function, not ${kindOf(plugin['setup'])}`;
  for (const list of LISTS) {
    const roles = plugin[list];
    if (roles === undefined) continue;
    if (!Array.isArray(roles)) return `${list} must be a list of roles, not ${kindOf(roles)}`;
    const bad = roles.findIndex((role) => !isRole(role));
    if (bad >= 0) return `${list}[${String(bad)}] is ${kindOf(roles[bad])}, not a role made with defineRole`;
    const addresses = roles.map((role: { name: string; major: number }) => `${role.name}.v${String(role.major)}`);
    const twice = addresses.find((address, index) => addresses.indexOf(address) !== index);
    if (twice !== undefined) return `${list} names the role ${twice} twice`;
  }
  const schema = plugin['config'];
  if (schema !== undefined && typeof (schema as { safeParse?: unknown } | null)?.safeParse !== 'function') {
    return `config must be a zod schema, not ${kindOf(schema)}`;
  }
  return undefined;
}

function isRole(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const role = value as Record<string, unknown>;
  const tables = [role['calls'], role['events']];
  return (
    typeof role['name'] === 'string' &&
    /^[a-z][a-z0-9-]{0,31}$/i.test(role['name']) &&
    Number.isInteger(role['major']) &&
    tables.every((table) => typeof table === 'object' && table !== null)
  );
}

function invalid(message: string): ManifestResult {
  const hint = 'export the result of definePlugin({...}) of @it-chain/contracts as default';
  return { finding: { code: 'ERR_PLUGIN_INVALID', message, hint } };
}

function label(plugin: Record<PropertyKey, unknown>): string {
  return `the plugin ${typeof plugin['name'] === 'string' ? plugin['name'].slice(0, 64) : 'without a name'}`;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`;
}

function printed(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 64));
  return typeof value === 'number' ? String(value) : kindOf(value);
}
