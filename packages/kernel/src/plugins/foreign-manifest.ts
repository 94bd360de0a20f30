import { readFileSync, statSync } from 'node:fs';
import {
  busNeedsOf,
  callAddress,
  catalogue,
  messageOf,
  noticeAddress,
  PLUGIN_API,
  roleAddress,
  z,
  type BusNeeds,
  type Plugin,
  type Role,
  type RoleCalls,
} from '@it-chain/contracts';
import type { Problem } from '../config/problem.js';
import { suggestion } from '../config/suggest.js';

type Finding = Pick<Problem, 'code' | 'message' | 'hint'>;

/** A plugin that runs in a process of its own, in any language; this node knows its manifest only. */
export interface ForeignPlugin {
  readonly needs: BusNeeds;
  /** Name, version and roles as a plugin has them; its `setup` does nothing. */
  readonly plugin: Plugin;
}

/** The foreign plugin of a manifest, or what keeps it from being one. */
export type ForeignResult = { readonly foreign: ForeignPlugin } | { readonly finding: Finding };

const ROLE = /^[a-z][a-z0-9-]{0,31}\.v\d{1,3}$/;
const ADDRESS = /^[a-z][A-Za-z0-9-]{0,63}(\.[A-Za-z0-9-]{1,64}){1,4}\.v\d{1,3}$/;
const MAX_ADDRESSES = 1_000;

const addresses = z.array(z.string().regex(ADDRESS, 'an address such as block.range.v1')).max(MAX_ADDRESSES);
const calls = z.record(
  z.string().regex(ROLE, 'the address of a role, such as chain.v1'),
  z.union([z.literal('*'), addresses.min(1)]),
);

/** What stands in the JSON manifest of a plugin in another process. */
export const foreignManifestSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/, 'at most 63 of a-z, 0-9 and -, beginning with a letter')
    .describe('Name of the plugin, of its broker user and of its durable queue.'),
  version: z.string().min(1).max(64).describe('Semantic version of the plugin itself.'),
  api: z.int().describe('The plugin API it was built for.'),
  provides: calls
    .default({})
    .describe('Roles that it serves, with their calls; "*" for all of a role of the framework.'),
  calls: calls.default({}).describe('Calls that it makes, by role; "*" for all of a role of the framework.'),
  listens: addresses.default([]).describe('Events and transient messages that it hears.'),
  tells: addresses.default([]).describe('Events of its own. Those of a role that it provides need not be named.'),
});

const known = new Map(catalogue.map((role) => [roleAddress(role), role]));
const roleOfCall = new Map(
  catalogue.flatMap((role) => Object.values(role.calls).map((call) => [callAddress(role, call), role] as const)),
);
const roleOfNotice = new Map(
  catalogue.flatMap((role) => Object.values(role.events).map((one) => [noticeAddress(one), role] as const)),
);

/** Longest manifest, in bytes. */
const MAX_BYTES = 1_048_576;

/** Reads the file of a JSON manifest. */
export function readForeignPlugin(file: string): ForeignResult {
  try {
    const { size } = statSync(file);
    if (size > MAX_BYTES) return invalid(`it has ${size} bytes; at most ${MAX_BYTES} are read`);
    return readForeignManifest(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    return invalid(messageOf(error));
  }
}

/** Reads a JSON manifest. Pure. */
export function readForeignManifest(value: unknown): ForeignResult {
  const api = (value as { api?: unknown } | null)?.api;
  if (typeof api === 'number' && api !== PLUGIN_API) {
    return {
      finding: {
        code: 'ERR_PLUGIN_API_VERSION',
        message: `the plugin was built for plugin API ${api}; this node speaks ${PLUGIN_API}`,
        hint: 'install a version of the plugin that fits this node, or a node that fits the plugin',
      },
    };
  }
  const read = foreignManifestSchema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    return invalid(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'no manifest'}`);
  }
  const { name, version, provides, tells, listens } = read.data;
  const fault = findFault(read.data);
  if (fault !== undefined) return fault;
  const roles = Object.entries(provides).map(([address]) => roleOf(address));
  const plugin: Plugin = {
    name,
    version,
    api: PLUGIN_API,
    provides: roles,
    requires: [],
    uses: Object.keys(read.data.calls).map(roleOf),
    setup: () => undefined,
  };
  const own = busNeedsOf({ name, provides: roles, requires: [], uses: [] });
  const transient = (address: string): boolean => isTransient(address);
  return {
    foreign: {
      plugin,
      needs: {
        name,
        serves: callsOf(provides),
        calls: callsOf(read.data.calls),
        listens: { events: listens.filter((one) => !transient(one)), transients: listens.filter(transient) },
        tells: { events: [...new Set([...own.tells.events, ...tells])], transients: own.tells.transients },
      },
    },
  };
}

type Manifest = z.output<typeof foreignManifestSchema>;

function findFault(manifest: Manifest): { readonly finding: Finding } | undefined {
  for (const [field, table] of [
    ['provides', manifest.provides],
    ['calls', manifest.calls],
  ] as const) {
    for (const [address, list] of Object.entries(table)) {
      const role = known.get(address);
      if (role === undefined && list === '*') {
        return invalid(
          `${field}: ${address} is no role of the framework: name its calls`,
          suggestion(address, [...known.keys()]),
        );
      }
      // By this key whoever serves a role is asked whether it is there: it is no call.
      const probe = list === '*' ? undefined : list.find((call) => call.startsWith('probe.'));
      if (probe !== undefined) return invalid(`${field}: ${probe} is no call of ${address}`);
      // A call of the framework under another role would take what is meant for its provider.
      const strange = list === '*' ? undefined : list.find((call) => roleOfCall.get(call) !== role);
      if (strange !== undefined) {
        const names = role === undefined ? [] : Object.values(role.calls).map((call) => callAddress(role, call));
        return invalid(`${field}: ${strange} is no call of ${address}`, suggestion(strange, names));
      }
      if (field !== 'provides' || role === undefined || list === '*') continue;
      const missing = Object.values(role.calls).find(
        (call) => call.optional !== true && !list.includes(callAddress(role, call)),
      );
      if (missing !== undefined) return invalid(`provides: ${address} lacks its call ${callAddress(role, missing)}`);
    }
  }
  const foreign = manifest.tells.find((one) => {
    const role = roleOfNotice.get(one);
    return role !== undefined && !(roleAddress(role) in manifest.provides);
  });
  return foreign === undefined
    ? undefined
    : invalid(`tells: ${foreign} belongs to a role that the plugin does not provide`);
}

function isTransient(address: string): boolean {
  const role = roleOfNotice.get(address);
  return (
    role !== undefined &&
    Object.values(role.events).some((one) => one.kind === 'transient' && noticeAddress(one) === address)
  );
}

/** A role by its address; one that is not of the framework is known by its name only. */
function roleOf(address: string): Role {
  const [name = '', major = '1'] = address.split('.v');
  return known.get(address) ?? { name, major: Number(major), doc: '', promises: [], calls: {}, events: {} };
}

function callsOf(table: Manifest['calls']): readonly RoleCalls[] {
  return Object.entries(table).map(([role, list]) => {
    const { calls: all } = roleOf(role);
    return { role, calls: list === '*' ? Object.values(all).map((call) => callAddress(roleOf(role), call)) : list };
  });
}

function invalid(
  message: string,
  hint = 'see docs/bus.md, "The manifest of a plugin in another process"',
): { readonly finding: Finding } {
  return { finding: { code: 'ERR_PLUGIN_INVALID', message: `the manifest is not valid: ${message}`, hint } };
}
