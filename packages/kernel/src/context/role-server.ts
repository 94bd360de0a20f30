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
    return encodeAnswer(definition, incoming.address, roleAddress(role), answer);
  };
  return bus.serve(roleAddress(role), [...bound.keys()], async (incoming) => {
    try {
      return await handle(incoming);
    } catch (error) {
      if (!isItChainError(error)) logUnexpected(log, incoming, error);
      // The caller gets the same words; here the line is under the name of the plugin whose fault it is.
      else if (error.code === 'ERR_PLUGIN_SHAPE') log.error(error.message, { call: incoming.address });
      throw error;
    }
  });
}

function encodeAnswer(definition: AnyCall, address: string, provider: string, answer: unknown): Uint8Array {
  try {
    return definition.out.encode(answer);
  } catch (cause) {
    throw wrongAnswer({ address, provider, expected: definition.out.name }, cause);
  }
}

/** The error of a call whose provider answered with something else than the answer of that call. */
export function wrongAnswer(
  call: { readonly address: string; readonly provider: string; readonly expected: string },
  cause: unknown,
): Error {
  const { address, provider, expected } = call;
  return failure(
    'ERR_PLUGIN_SHAPE',
    `the provider of ${provider} answered ${address} with what is no ${expected}: ${messageOf(cause)}`,
    { cause, hint: 'look at the log of the plugin that provides the role' },
  );
}

function logUnexpected(log: Log, { address, messageId, sender }: IncomingRequest, error: unknown): void {
  log.error('a call failed unexpectedly', { call: address, messageId, sender, reason: messageOf(error) });
  log.debug('stack of the unexpected failure', { call: address, messageId, stack: stackOf(error) });
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
