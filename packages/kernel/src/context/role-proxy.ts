import {
  callAddress,
  failure,
  roleAddress,
  type AnyCall,
  type Bus,
  type Call,
  type Clock,
  type Role,
  type Served,
} from '@it-chain/contracts';
import type { Allowance } from './allowance.js';
import { wrongAnswer } from './role-server.js';

/** Whose calls a proxy makes, and over which bus. */
export interface CallOrigin {
  /** The bus, asked for at each call since it opens after setup. */
  readonly bus: () => Bus;
  readonly clock: Clock;
  /** The plugin that calls. */
  readonly sender: string;
  /** A message id that nobody else uses. */
  readonly nextId: () => string;
  /** Its share of the calls under way; without one only the bus limits them. */
  readonly allowance?: Allowance | undefined;
}

/**
 * A typed proxy of a role: each call is encoded, sent to the role's provider, and its answer decoded.
 * A call rejects with the provider's error, or with ERR_BUS_* where none came; it never throws on the spot.
 */
export function createProxy<R extends Role>(role: R, origin: CallOrigin): Served<R> {
  const calls = Object.entries(role.calls).map(([method, call]) => [method, createCall(role, call, origin)] as const);
  // The entries are exactly the calls of R, which is what Served<R> says.
  return Object.freeze(Object.fromEntries(calls)) as unknown as Served<R>;
}

function createCall(role: Role, definition: AnyCall, origin: CallOrigin) {
  const provider = roleAddress(role);
  const address = callAddress(role, definition);
  const { bus, clock, sender, nextId, allowance } = origin;
  return async (request: unknown, call: Call = {}): Promise<unknown> => {
    const timeoutMs = call.timeoutMs ?? definition.timeoutMs;
    if (timeoutMs <= 0) throw failure('ERR_BUS_TIMEOUT', `no time was left to call ${address}`);
    const send = (): Promise<Uint8Array> =>
      bus().request(provider, address, definition.in.encode(request), {
        timeoutMs,
        signal: call.signal,
        messageId: call.messageId ?? nextId(),
        traceparent: call.traceparent,
        sender,
        timestamp: clock.now(),
      });
    const answer = await (allowance === undefined ? send() : allowance.use(send));
    try {
      return definition.out.decode(answer) as unknown;
    } catch (cause) {
      throw wrongAnswer({ address, provider, expected: definition.out.name }, cause);
    }
  };
}
