import type { Message } from '../schema/index.js';

/** One method of a gRPC service. */
export interface Method<I, O> {
  /** As in the `.proto`: `GetStatus`. */
  readonly name: string;
  readonly doc: string;
  readonly in: Message<I>;
  readonly out: Message<O>;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** Admin: loopback only, or with the bearer token of the node. */
  readonly admin: boolean;
}

/** A method of any gRPC service, its messages not known. */
// Methods of different messages stand in one record; see role.ts.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyMethod = Method<any, any>;

/** A gRPC service: `fullName` is the path prefix on the wire. */
export interface Service<M extends Record<string, AnyMethod> = Record<string, AnyMethod>> {
  readonly packageName: string;
  readonly name: string;
  readonly fullName: string;
  readonly methods: M;
}

interface MethodInput<I, O> {
  readonly doc: string;
  readonly in: Message<I>;
  readonly out: Message<O>;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
  readonly admin?: boolean;
}

/** Declares a method; its name on the wire is its key with a capital letter. */
export const method = <I, O>(input: MethodInput<I, O>): Omit<Method<I, O>, 'name'> => ({
  requestStream: false,
  responseStream: false,
  admin: false,
  ...input,
});

/** Defines a gRPC service. */
export function defineService<const M extends Record<string, Omit<AnyMethod, 'name'>>>(
  packageName: string,
  name: string,
  methods: M,
): Service<{ [K in keyof M]: M[K] & { readonly name: string } }> {
  const named = Object.fromEntries(
    Object.entries(methods).map(([key, value]) => [
      key,
      { ...value, name: `${key.slice(0, 1).toUpperCase()}${key.slice(1)}` },
    ]),
  ) as { [K in keyof M]: M[K] & { readonly name: string } };
  return { packageName, name, fullName: `${packageName}.${name}`, methods: named };
}

/** The `service` block of a `.proto` file. */
export function printService(service: Service): string {
  const lines = Object.values(service.methods).map(
    (one) =>
      `  // ${one.doc}\n  rpc ${one.name}(${one.requestStream ? 'stream ' : ''}${one.in.name}) returns (${one.responseStream ? 'stream ' : ''}${one.out.name});`,
  );
  return [`service ${service.name} {`, ...lines, '}'].join('\n');
}
