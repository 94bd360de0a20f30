import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { NodeService, type AnyMethod, type Clock, type Infer } from '@it-chain/contracts';
import { FakeContext, FakeNode } from '@it-chain/testkit';
import { ApiConfig, EventFeed, startClientApi, type ClientApi } from '@it-chain/plugin-gateway';

type Methods = NodeService['methods'];
type Name = keyof Methods;

/** The real clock: these tests are about real sockets. */
const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => {
      clearInterval(timer);
    };
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A client API over a fake node, and a bare gRPC client of it. */
export interface OpenApi {
  readonly node: FakeNode;
  readonly api: ClientApi;
  readonly events: EventFeed;
  readonly dataDir: string;
  readonly client: grpc.Client;
  readonly plugins: { name: string; health: { state: 'ok' | 'failing' } }[];
  call<K extends Name>(
    name: K,
    request: Infer<Methods[K]['in']>,
    metadata?: grpc.Metadata,
  ): Promise<Infer<Methods[K]['out']>>;
  stream<K extends Name>(
    name: K,
    request: Infer<Methods[K]['in']>,
  ): grpc.ClientReadableStream<Infer<Methods[K]['out']>>;
  close(): Promise<void>;
}

export async function openApi(config: object = {}, founded = true): Promise<OpenApi> {
  const dataDir = await mkdtemp(join(tmpdir(), 'it-chain-api-'));
  const node = new FakeNode();
  if (founded) node.found();
  const context = new FakeContext({ config: {}, dataDir, seed: 'fake-node' });
  const events = new EventFeed();
  node.onEvent = (name, body) => {
    events.tell({ name, body, timestamp: 1 });
  };
  const plugins: OpenApi['plugins'] = [{ name: 'chain', health: { state: 'ok' } }];
  const api = await startClientApi(ApiConfig.parse({ listen: '127.0.0.1:0', pollMs: 20, ...config }), {
    context: {
      log: context.log,
      clock: systemClock,
      metrics: context.metrics,
      identity: { nodeId: node.nodeId, publicKey: node.keys.publicKey, name: 'fake' },
      node: context.node,
      dataDir: () => join(dataDir, 'gateway'),
      random: (length) => context.random(length),
      sign: (domain, network, content) => context.sign(domain, network, content),
      inspect: () => ({
        plugins: plugins.map((plugin) => ({ role: plugin.name, version: '1.0.0', state: 'ready' as const, ...plugin })),
        stages: [],
        startedAt: 0,
      }),
    },
    ...node.roles,
    events,
  });
  const client = new grpc.Client(api.address, grpc.credentials.createInsecure());
  const method = (name: Name): AnyMethod => NodeService.methods[name];
  const path = (name: Name) => `/itchain.v1.Node/${method(name).name}`;
  const write = (name: Name) => (value: unknown) => Buffer.from(method(name).in.encode(value));
  return {
    node,
    api,
    events,
    dataDir,
    client,
    plugins,
    call: (name, request, metadata = new grpc.Metadata()) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          path(name),
          write(name),
          (bytes: Buffer) => method(name).out.decode(bytes) as never,
          request,
          metadata,
          (error, reply) => {
            if (error !== null) reject(error);
            else resolve(reply!);
          },
        );
      }),
    stream: (name, request) =>
      client.makeServerStreamRequest(
        path(name),
        write(name),
        (bytes: Buffer) => method(name).out.decode(bytes) as never,
        request,
      ),
    close: async () => {
      client.close();
      await api.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** What a failed call said: the status, and the code in the trailer. */
export async function failureOf(
  call: Promise<unknown>,
): Promise<{ status: number; code: string; hint: string; message: string }> {
  try {
    await call;
  } catch (error) {
    const { code: status, metadata } = error as grpc.ServiceError;
    const trailer = JSON.parse(metadata.get('it-chain-error')[0]!.toString()) as {
      code: string;
      hint: string;
      message: string;
    };
    return { status, ...trailer, ...{ code: trailer.code } };
  }
  throw new Error('the call succeeded');
}

/** Waits for a condition, generously. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
