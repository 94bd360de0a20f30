import type {
  MethodDefinition,
  Server,
  ServiceDefinition,
  UntypedServiceImplementation,
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
} from '@grpc/grpc-js';
import { failure } from '@it-chain/contracts';

/** How the calls of a method go. */
export type CallShape = 'unary' | 'serverStream' | 'bidi';

type Method = MethodDefinition<unknown, unknown>;
type Handler = handleUnaryCall<unknown, unknown> &
  handleServerStreamingCall<unknown, unknown> &
  handleBidiStreamingCall<unknown, unknown>;

interface Loaded {
  readonly method: Method;
  readonly handle: Handler;
}

/** What a library adds its service to. */
export type ServiceTarget = Pick<Server, 'addService'>;

/**
 * Serves methods whose library is loaded with their first call: what reads .proto files takes longer to load than the rest
 * of the API, and most nodes are never asked.
 *
 * @param paths each method, `/package.Service/Method`
 * @param load has the library add its services; called once
 */
export function serveLazily(
  server: Pick<Server, 'register'>,
  paths: Readonly<Record<string, CallShape>>,
  load: (target: ServiceTarget) => void,
): void {
  let methods: ReadonlyMap<string, Loaded> | undefined;
  const loaded = (path: string): Loaded => {
    methods ??= collect(load);
    const found = methods.get(path);
    if (found === undefined) throw failure('ERR_INTERNAL', `no library serves ${path}`);
    return found;
  };
  for (const [path, shape] of Object.entries(paths)) {
    const handler = (...args: Parameters<Handler>): void => {
      loaded(path).handle(...args);
    };
    const write = (value: unknown): Buffer => loaded(path).method.responseSerialize(value);
    const read = (bytes: Buffer): unknown => loaded(path).method.requestDeserialize(bytes);
    server.register(path, handler as Handler, write, read, shape);
  }
}

/** What the libraries would have added to a server, by path. */
function collect(load: (target: ServiceTarget) => void): ReadonlyMap<string, Loaded> {
  const methods = new Map<string, Loaded>();
  load({
    addService: (definition: ServiceDefinition, implementation: UntypedServiceImplementation) => {
      for (const [name, method] of Object.entries(definition)) {
        const handle = implementation[name] ?? implementation[method.originalName ?? ''];
        if (handle !== undefined) methods.set(method.path, { method, handle: handle.bind(implementation) as Handler });
      }
    },
  });
  return methods;
}
