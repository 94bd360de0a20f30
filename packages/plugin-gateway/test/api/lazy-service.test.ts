import * as grpc from '@grpc/grpc-js';
import { expect } from 'chai';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEALTH_METHODS, Health } from '../../dist/api/health.js';
import { serveLazily, type CallShape, type ServiceTarget } from '../../dist/api/lazy-service.js';
import { REFLECTION_METHODS, addReflection, writeClientApi } from '../../dist/api/reflection.js';

const shapeOf = ({ requestStream, responseStream }: grpc.MethodDefinition<unknown, unknown>): CallShape =>
  requestStream ? 'bidi' : responseStream ? 'serverStream' : 'unary';

/** What a library adds, by path. */
function added(load: (target: ServiceTarget) => void): Record<string, CallShape> {
  const methods: Record<string, CallShape> = {};
  load({
    addService: (definition: grpc.ServiceDefinition) => {
      for (const method of Object.values(definition)) methods[method.path] = shapeOf(method);
    },
  });
  return methods;
}

describe('services that are loaded with their first call', () => {
  it('are all that their libraries add, and each in its shape', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'it-chain-api-'));
    const path = await writeClientApi(dir);
    expect(added((target) => addReflection(target, path))).to.deep.equal(REFLECTION_METHODS);
    const health = new Health({ plugins: [], stages: [] } as unknown as ConstructorParameters<typeof Health>[0]);
    expect(added((target) => health.addTo(target))).to.deep.equal(HEALTH_METHODS);
    await rm(dir, { recursive: true });
  });

  describe('on a server', () => {
    const echo: grpc.ServiceDefinition = {
      say: {
        path: '/test.Echo/Say',
        requestStream: false,
        responseStream: false,
        requestSerialize: (text: string) => Buffer.from(text),
        requestDeserialize: (bytes: Buffer) => bytes.toString(),
        responseSerialize: (text: string) => Buffer.from(text),
        responseDeserialize: (bytes: Buffer) => bytes.toString(),
        originalName: 'Say',
      },
    };
    const say: grpc.handleUnaryCall<string, string> = (call, callback) => callback(null, `${call.request}!`);
    let server: grpc.Server;
    let client: grpc.Client;

    async function serve(load: (target: ServiceTarget) => void): Promise<void> {
      server = new grpc.Server();
      serveLazily(server, { '/test.Echo/Say': 'unary' }, load);
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
          error === null ? resolve(bound) : reject(error),
        ),
      );
      client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    }
    const ask = (text: string): Promise<string> =>
      new Promise((resolve) => {
        const { path, requestSerialize, responseDeserialize } = echo['say'] as grpc.MethodDefinition<string, string>;
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, text, (error, answer) =>
          resolve(error === null ? (answer ?? '') : grpc.status[error.code]),
        );
      });

    afterEach(() => {
      client.close();
      server.forceShutdown();
    });

    it('are loaded once, and not before', async () => {
      let loads = 0;
      await serve((target) => {
        loads += 1;
        target.addService(echo, { Say: say });
      });
      expect(loads).to.equal(0);
      expect([await ask('one'), await ask('two')]).to.deep.equal(['one!', 'two!']);
      expect(loads).to.equal(1);
    });

    it('answer with an error where they cannot be loaded, and are tried again with the next call', async () => {
      let broken = true;
      await serve((target) => {
        if (broken) throw new Error('no such library');
        target.addService(echo, { say });
      });
      expect(await ask('one')).to.equal('INTERNAL');
      broken = false;
      expect(await ask('two')).to.equal('two!');
    });

    it('answer with an error where their libraries do not serve them', async () => {
      await serve(() => undefined);
      expect(await ask('one')).to.equal('INTERNAL');
    });
  });
});
