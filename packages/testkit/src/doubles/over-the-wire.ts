import type { Role, Served } from '@it-chain/contracts';

/** A role as its users reach it: every request and answer goes through its codec, so wrong bodies fail as on the bus. */
export function overTheWire<R extends Role>(role: R, provider: Served<R>): Served<R> {
  const methods = provider as unknown as Record<string, (request: unknown, call: unknown) => Promise<unknown>>;
  const calls = Object.entries(role.calls).map(([method, call]) => [
    method,
    async (request: unknown, options: unknown = {}) => {
      const answer = await methods[method]?.(call.in.decode(call.in.encode(request)), options);
      return call.out.decode(call.out.encode(answer)) as unknown;
    },
  ]);
  // The entries are the calls of the role, which is what Served<R> says.
  return Object.fromEntries(calls) as Served<R>;
}
