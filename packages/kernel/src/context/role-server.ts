import {
  callAddress,
  failure,
  isItChainError,
  messageOf,
  roleAddress,
  type AnyCall,
  type Bus,
  type Call,
  type IncomingRequest,
  type Log,
  type Registration,
  type Role,
} from '@it-chain/contracts';

type Method = (request: unknown, call: Call) => Promise<unknown>;

interface Bound {
  readonly definition: AnyCall;
  readonly method: string;
}

/** The calls of a role that an object does not have. */
export function missingCalls(role: Role, provider: object): string[] {
  return Object.entries(role.calls)
    .filter(([, call]) => call.optional !== true)
    .map(([method]) => method)
    .filter((method) => typeof (provider as Record<string, unknown>)[method] !== 'function');
}

/**
 * Serves a role with a plain object. Its answers and errors cross with their codes; an error that is not of this
 * framework becomes ERR_INTERNAL for the caller, with its text in this log only.
 * @throws ERR_ROLE_TAKEN
 */
export function serveRole(bus: Bus, role: Role, provider: object, log: Log): Promise<Registration> {
  const bound = new Map<string, Bound>(
    Object.entries(role.calls).map(([method, definition]) => [callAddress(role, definition), { definition, method }]),
  );
  const handle = async (incoming: IncomingRequest): Promise<Uint8Array> => {
    const found = bound.get(incoming.address);
    if (found === undefined || typeof (provider as Record<string, unknown>)[found.method] !== 'function') {
      throw failure('ERR_ROLE_UNKNOWN_CALL', `${roleAddress(role)} has no call ${incoming.address}`);
    }
    const { definition, method } = found;
    const request: unknown = definition.in.decode(incoming.body);
    const { timeoutMs, messageId, traceparent } = incoming;
    const answer = await (provider as Record<string, Method>)[method]?.(request, { timeoutMs, messageId, traceparent });
    return definition.out.encode(answer);
  };
  return bus.serve(roleAddress(role), [...bound.keys()], async (incoming) => {
    try {
      return await handle(incoming);
    } catch (error) {
      if (!isItChainError(error)) logUnexpected(log, incoming, error);
      throw error;
    }
  });
}

function logUnexpected(log: Log, { address, messageId, sender }: IncomingRequest, error: unknown): void {
  log.error('a call failed unexpectedly', { call: address, messageId, sender, reason: messageOf(error) });
  log.debug('stack of the unexpected failure', { call: address, messageId, stack: stackOf(error) });
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
