import { Identity } from '../roles/identity.js';
import { callAddress, noticeAddress, roleAddress, type AnyCall, type Role } from './role.js';

/** Calls of one role, by their addresses. */
export interface RoleCalls {
  /** `chain.v1` */
  readonly role: string;
  /** `block.range.v1` */
  readonly calls: readonly string[];
}

/** Addresses of events and of transient messages. */
export interface NoticeAddresses {
  readonly events: readonly string[];
  readonly transients: readonly string[];
}

/** All that a plugin does on the bus, by addresses: what its manifest asks for, and what its broker user may do. */
export interface BusNeeds {
  /** The plugin's name. */
  readonly name: string;
  /** Roles that it serves. */
  readonly serves: readonly RoleCalls[];
  /** Calls that it makes. */
  readonly calls: readonly RoleCalls[];
  readonly listens: NoticeAddresses;
  readonly tells: NoticeAddresses;
}

/**
 * What a plugin needs of the bus, from its manifest: it serves what it provides, tells the events of those roles, calls
 * what it requires and uses, and listens to the events of all roles it names. The kernel asks for the identity of the node,
 * and for signatures, in the name of any plugin.
 */
export function busNeedsOf(plugin: {
  readonly name: string;
  readonly provides: readonly Role[];
  readonly requires: readonly Role[];
  readonly uses: readonly Role[];
}): BusNeeds {
  const named = distinct([...plugin.requires, ...plugin.uses]);
  const knowsIdentity = named.some((role) => roleAddress(role) === roleAddress(Identity));
  const { get, sign } = Identity.calls;
  const kernel = knowsIdentity ? [] : [callsOf(Identity, [get, sign])];
  return {
    name: plugin.name,
    serves: plugin.provides.map((role) => callsOf(role)),
    calls: [...named.map((role) => callsOf(role)), ...kernel],
    listens: noticesOf(distinct([...plugin.provides, ...named])),
    tells: noticesOf(plugin.provides),
  };
}

/** Characters of the id of a node that set its messages apart on a shared broker. */
const NAMESPACE_LENGTH = 16;

/** The prefix of all names of a node on its bus. */
export const busNamespace = (nodeId: string): string => nodeId.slice(0, NAMESPACE_LENGTH);

/** The addresses of the events and transient messages of roles. */
export function noticesOf(roles: readonly Role[]): NoticeAddresses {
  const notices = roles.flatMap((role) => Object.values(role.events));
  const of = (kind: string): string[] => notices.filter((notice) => notice.kind === kind).map(noticeAddress);
  return { events: of('event'), transients: of('transient') };
}

function callsOf(role: Role, calls: readonly AnyCall[] = Object.values(role.calls)): RoleCalls {
  return { role: roleAddress(role), calls: calls.map((call) => callAddress(role, call)) };
}

function distinct(roles: readonly Role[]): readonly Role[] {
  return [...new Map(roles.map((role) => [roleAddress(role), role])).values()];
}
