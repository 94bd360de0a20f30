import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connectAmqpBus } from '@it-chain/bus-amqp';
import { type Bus, type BusConfig, type BusNeeds, utf8 } from '@it-chain/contracts';
import { createMetrics } from '@it-chain/kernel';
import { expect } from 'chai';
import { gatewayPlugin, GatewayConfig } from '@it-chain/plugin-gateway';
import { FakeContext } from '@it-chain/testkit';
import { codeOf, realClock, until } from '../transport/test-node.js';

interface BusFile {
  socket: string;
  address: string;
  url: string;
  user: string;
  password: string;
  namespace: string;
  pid: number;
}

describe('the bus of the gateway', function () {
  this.timeout(60_000);
  let dataDir: string;
  const buses: Bus[] = [];
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  });
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
    await rm(dataDir, { recursive: true, force: true });
  });
  const keep = (bus: Bus): Bus => {
    buses.push(bus);
    return bus;
  };
  const contextOf = async (busConfig: BusConfig, busServer: object = {}) => {
    const config = GatewayConfig.parse({ peers: { listen: '127.0.0.1:0' }, api: { listen: '127.0.0.1:0' }, busServer });
    const context = new FakeContext({ config, dataDir, busConfig });
    Object.defineProperty(context, 'clock', { value: realClock });
    Object.defineProperty(context, 'metrics', { value: createMetrics() });
    const running = await context.setup(gatewayPlugin as never);
    const { openBus } = context;
    if (openBus === undefined) throw new Error('no bus was provided');
    return { context, running, open: async () => keep(await openBus()) };
  };
  const busFile = (): BusFile => JSON.parse(readFileSync(join(dataDir, 'bus.json'), 'utf8')) as BusFile;

  it('runs on an embedded server that only its owner reaches, and leaves nothing behind', async () => {
    const { open, context } = await contextOf({ listen: '127.0.0.1:0' });
    const bus = await open();
    const file = busFile();
    expect(statSync(join(dataDir, 'bus.json')).mode & 0o777).to.equal(0o600);
    expect(statSync(file.socket).mode & 0o777).to.equal(0o600);
    expect(statSync(dirname(file.socket)).mode & 0o777).to.equal(0o700);
    expect(file.password).to.match(/^[0-9a-f]{48}$/);
    expect(JSON.stringify(context.log.lines)).to.not.include(file.password);
    expect(file.namespace).to.equal(context.identity.nodeId.slice(0, 16));

    // Another process of the node, with what the file says, over TCP.
    const other = keep(await connectAmqpBus({ url: file.url, namespace: file.namespace }));
    await bus.serve('echo.v1', ['echo.back.v1'], (request) => Promise.resolve(request.body));
    const answer = await other.request('echo.v1', 'echo.back.v1', utf8('hello'), { timeoutMs: 10_000 });
    expect(Buffer.from(answer).toString()).to.equal('hello');
    const wrong = file.url.replace(file.password, '0'.repeat(48));
    expect(await codeOf(connectAmqpBus({ url: wrong, namespace: file.namespace }))).to.equal('ERR_BUS_UNREACHABLE');

    await other.close();
    await bus.close();
    expect(existsSync(join(dataDir, 'bus.json'))).to.equal(false);
    expect(existsSync(dirname(file.socket))).to.equal(false);
  });

  it('makes a user for each plugin in another process, who may do what its manifest asks for', async () => {
    const needs: BusNeeds = {
      name: 'audit',
      serves: [{ role: 'audit.v1', calls: ['audit.find.v1'] }],
      calls: [{ role: 'echo.v1', calls: ['echo.back.v1'] }],
      listens: { events: [], transients: [] },
      tells: { events: [], transients: [] },
    };
    const path = join(dataDir, 'bus-users', 'audit.json');
    await mkdir(dirname(path));
    await writeFile(join(dirname(path), 'removed.json'), '{}');
    const { open, context } = await contextOf({ listen: '127.0.0.1:0', foreign: [needs] });
    const bus = await open();
    expect(await readdir(dirname(path))).to.deep.equal(['audit.json']);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(statSync(dirname(path)).mode & 0o777).to.equal(0o700);
    const file = JSON.parse(readFileSync(path, 'utf8')) as BusFile;
    expect(JSON.stringify(context.log.lines)).to.not.include(file.password);

    await bus.serve('echo.v1', ['echo.back.v1', 'echo.loud.v1'], (request) => Promise.resolve(request.body));
    const plugin = keep(await connectAmqpBus({ url: file.url, namespace: file.namespace, reconnectMinMs: 10 }));
    await plugin.serve('audit.v1', ['audit.find.v1'], (request) => Promise.resolve(request.body));
    const call = (from: Bus, role: string, address: string): Promise<Uint8Array> =>
      from.request(role, address, utf8('hello'), { timeoutMs: 10_000 });
    expect(await call(plugin, 'echo.v1', 'echo.back.v1')).to.have.length(5);
    expect(await call(bus, 'audit.v1', 'audit.find.v1')).to.have.length(5);
    expect(await codeOf(call(plugin, 'echo.v1', 'echo.loud.v1'))).to.equal('ERR_BUS_CLOSED');
    await plugin.close();
    await bus.close();
    expect(existsSync(path)).to.equal(false);
  });

  it('holds a plugin in another process to what the config lets it take, and counts what it refuses', async () => {
    const none = { events: [], transients: [] };
    const needs: BusNeeds = { name: 'audit', serves: [], calls: [], listens: none, tells: none };
    const { open, context } = await contextOf(
      { listen: '127.0.0.1:0', foreign: [needs] },
      { plugin: { connections: 2 } },
    );
    await open();
    const { url, namespace } = JSON.parse(readFileSync(join(dataDir, 'bus-users', 'audit.json'), 'utf8')) as BusFile;
    keep(await connectAmqpBus({ url, namespace }));
    expect(await codeOf(connectAmqpBus({ url, namespace }))).to.equal('ERR_BUS_UNREACHABLE');
    const metric = async (name: string): Promise<string | undefined> =>
      (await context.metrics.text())
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')[1];
    // Two of the node, one to publish and one to listen, and two of the plugin.
    await until(async () => (await metric('bus_server_connections')) === '4', 'the connections to be counted');
    const refused = 'bus_server_refused_total{what="connection-closed"}';
    await until(async () => Number(await metric(refused)) > 0, 'the refusal to be counted');
  });

  it('refuses bounds with which one plugin could fill the server', () => {
    const parse = (memoryBytes: number, queueBytes: number): boolean =>
      GatewayConfig.safeParse({ busServer: { memoryBytes, plugin: { queueBytes } } }).success;
    const [small, large] = [32 * 1_048_576, 64 * 1_048_576];
    expect([parse(small, large), parse(large, small), parse(small, small)]).to.deep.equal([false, true, true]);
  });

  it('cleans up after a process that was killed, and touches nothing else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'itc-'));
    await writeFile(join(folder, 'bus.sock'), '');
    const precious = join(dataDir, 'precious');
    await mkdir(precious);
    await writeFile(join(precious, 'bus.sock'), '');
    const left = (socket: string) => writeFile(join(dataDir, 'bus.json'), JSON.stringify({ socket, pid: 2 ** 22 + 1 }));
    await left(join(folder, 'bus.sock'));
    await (await (await contextOf({ listen: '127.0.0.1:0' })).open()).close();
    expect(existsSync(folder)).to.equal(false);
    await left(join(precious, 'bus.sock'));
    await (await (await contextOf({ listen: '127.0.0.1:0' })).open()).close();
    expect(await readdir(precious)).to.deep.equal(['bus.sock']);
    await writeFile(join(dataDir, 'bus.json'), '{ not json');
    await (await (await contextOf({ listen: '127.0.0.1:0' })).open()).close();
  });

  it('removes socket folders that nobody listens on, once they are old', async () => {
    const { open } = await contextOf({ listen: '127.0.0.1:0' });
    const bus = await open();
    const alive = dirname(busFile().socket);
    const dead = await mkdtemp(join(tmpdir(), 'itc-'));
    const fresh = await mkdtemp(join(tmpdir(), 'itc-'));
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(dead, longAgo, longAgo);
    await utimes(alive, longAgo, longAgo);
    await rm(join(dataDir, 'bus.json'));
    const { open: again } = await contextOf({ listen: '127.0.0.1:0' });
    await (await again()).close();
    expect([alive, dead, fresh].map((folder) => existsSync(folder))).to.deep.equal([true, false, true]);
    await rm(fresh, { recursive: true });
    await bus.close();
    expect(existsSync(alive)).to.equal(false);
  });

  it('runs on a broker of its own choice with the namespace of the node', async () => {
    const { open } = await contextOf({ listen: '127.0.0.1:0' });
    const first = await open();
    const { url } = busFile();
    const { open: openSecond } = await contextOf({ url });
    const second = await openSecond();
    // The same node id, so the same namespace: both reach each other.
    await first.serve('echo.v1', ['echo.back.v1'], (request) => Promise.resolve(request.body));
    expect(await second.request('echo.v1', 'echo.back.v1', new Uint8Array([7]), { timeoutMs: 10_000 })).to.have.length(
      1,
    );
  });

  it('names a listen address that cannot be', async () => {
    const { open } = await contextOf({ listen: '0.0.0.0:0' });
    expect(await codeOf(open())).to.equal('ERR_GATEWAY_LISTEN');
    const { open: first } = await contextOf({ listen: '127.0.0.1:0' });
    await first();
    const { address } = busFile();
    const { open: taken } = await contextOf({ listen: address });
    expect(await codeOf(taken())).to.equal('ERR_GATEWAY_LISTEN');
  });

  it('tells health while the broker is away', async () => {
    const { open: openServer } = await contextOf({ listen: '127.0.0.1:0' });
    const server = await openServer();
    const { url } = busFile();
    const { open, running, context } = await contextOf({ url });
    await open();
    await running.start();
    await server.close();
    await until(() => context.lastHealth.state === 'degraded', 'health to say so');
    expect(context.lastHealth.reason).to.include('bus');
    await running.stop();
  });
});

describe('the gateway plugin', function () {
  this.timeout(60_000);

  it('opens both doors in the stage accept and closes them first of all; insecure is warned about at start', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'gateway-test-'));
    const config = GatewayConfig.parse({
      peers: { listen: '127.0.0.1:0', insecure: true },
      api: { listen: '127.0.0.1:0' },
    });
    const context = new FakeContext({ config, dataDir });
    Object.defineProperty(context, 'clock', { value: realClock });
    const running = await context.setup(gatewayPlugin as never);
    await running.start();
    expect(context.log.of('warn').join()).to.include('peers.insecure');
    const transport = context.servedRole((await import('@it-chain/contracts')).Transport);
    expect(await transport.status({})).to.deep.equal({ listening: '', advertised: '', insecure: true });
    const close = await context.accepts[0]?.();
    const { listening, advertised } = await transport.status({});
    expect(listening).to.match(/^127\.0\.0\.1:\d+$/);
    expect(advertised).to.equal(listening);
    if (typeof close !== 'function') throw new Error('nothing to close');
    await close();
    await running.stop();
    expect(context.log.of('info').filter((line) => /open|accepted/.test(line))).to.have.length(2);
    await rm(dataDir, { recursive: true, force: true });
  });
});
