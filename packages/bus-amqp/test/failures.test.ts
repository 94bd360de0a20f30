import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { connect } from 'amqplib';
import { AmqpServer } from '@it-chain/amqp-server';
import { connectAmqpBus } from '@it-chain/bus-amqp';
import type { Bus } from '@it-chain/contracts';
import { RecordingLog } from '@it-chain/testkit';
import { startOnTcp, type Broker } from './brokers.js';

async function errorOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 15_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Tries to declare an exclusive queue until it is ours. */
async function takeQueue(model: Awaited<ReturnType<typeof connect>>, queue: string): Promise<() => boolean> {
  let taken = false;
  const tryOnce = async (): Promise<void> => {
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(queue, { exclusive: true });
    taken = true;
  };
  const tryAgain = (): void => {
    tryOnce().catch(() => setTimeout(tryAgain, 5));
  };
  tryAgain();
  return Promise.resolve(() => taken);
}

describe('connectAmqpBus', () => {
  it('refuses options that cannot work, without quoting the url', async () => {
    expect((await errorOf(connectAmqpBus({ namespace: 'n' }))).message).to.contain('url or a socketPath');
    expect((await errorOf(connectAmqpBus({ namespace: 'a b', url: 'amqp://x' }))).message).to.contain('namespace');
    for (const url of ['amqp://user:s3cret@[bad', 'http://user:s3cret@host']) {
      expect((await errorOf(connectAmqpBus({ namespace: 'n', url }))).message).to.not.contain('s3cret');
    }
  });

  it('says where it could not connect, and never the password', async () => {
    const server = new AmqpServer({ authFailureDelayMs: 1 });
    const address = await server.listen({ port: 0 });
    if (!('port' in address)) throw new Error('no port');
    const url = `amqp://guest:s3cret%21@127.0.0.1:${address.port}`;
    const refused = await errorOf(connectAmqpBus({ namespace: 'n', url }));
    expect(refused.code).to.equal('ERR_BUS_UNREACHABLE');
    expect(refused.message)
      .to.contain(String(address.port))
      .and.to.not.match(/s3cret/);
    await server.close();
    const gone = await errorOf(connectAmqpBus({ namespace: 'n', url }));
    expect(gone.code).to.equal('ERR_BUS_UNREACHABLE');
    expect(JSON.stringify([gone, gone.stack, gone.cause])).to.not.match(/s3cret/);
  });

  it('gives up on something that accepts connections and says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const options = { namespace: 'n', url: `amqp://127.0.0.1:${String(port)}`, connectTimeoutMs: 50 };
    expect((await errorOf(connectAmqpBus(options))).code).to.equal('ERR_BUS_UNREACHABLE');
    silent.close();
  });
});

describe('the bus under failure', () => {
  let broker: Broker;
  let opened: Bus[] = [];
  const log = new RecordingLog();
  beforeEach(async () => {
    broker = await startOnTcp();
  });
  afterEach(async () => {
    await Promise.all(opened.map((bus) => bus.close(0)));
    opened = [];
    await broker.stop();
  });

  async function open(more: Partial<Parameters<typeof connectAmqpBus>[0]> = {}): Promise<Bus> {
    const bus = await connectAmqpBus({
      url: broker.url,
      namespace: 'test',
      log,
      probeMs: 50,
      reconnectMinMs: 20,
      reconnectMaxMs: 100,
      ...more,
    });
    opened.push(bus);
    return bus;
  }

  it('takes its role back when the old queue lingers in the broker for a while', async () => {
    const bus = await open();
    await bus.serve('echo.v1', ['echo.say.v1'], ({ body }) => Promise.resolve(body));
    const squatter = connect(broker.directUrl ?? '');
    await broker.restart(async () => {
      await until('the loss is noticed', () => bus.stats().state === 'reconnecting');
      // The broker lets go of the old queue when it notices the loss itself; then somebody else has it for a while.
      await until('the queue is taken', await takeQueue(await squatter, 'test.rpc.echo.v1'));
    });
    await until('it is connected', () => bus.stats().state === 'connected');
    expect((await errorOf(bus.waitForRole('echo.v1', 50))).code).to.equal('ERR_BUS_NO_PROVIDER');
    await (await squatter).close();
    await bus.waitForRole('echo.v1', 15_000);
    const answer = await bus.request('echo.v1', 'echo.say.v1', Buffer.from('back'), { timeoutMs: 10_000 });
    expect(Buffer.from(answer).toString()).to.equal('back');
  });

  it('is not ended by messages that are none of ours', async () => {
    const bus = await open();
    const got: string[] = [];
    await bus.serve('echo.v1', ['echo.say.v1'], ({ body }) => Promise.resolve(body));
    await bus.subscribe(['thing.happened.v1'], ({ messageId, address }) => {
      got.push(`${address} ${messageId}`);
      return Promise.resolve();
    });
    const stranger = await connect(broker.url ?? '');
    const channel = await stranger.createChannel();
    for (const properties of [
      {},
      { type: 'probe' },
      { headers: { traceparent: 7, timestamp_in_ms: 'x' }, expiration: '5' },
    ]) {
      channel.publish('test.rpc', 'echo.say.v1', Buffer.from('?'), properties);
      channel.publish('test.evt', 'thing.happened.v1', Buffer.from('?'), properties);
    }
    channel.publish('test.rpc', 'echo.say.v1', Buffer.from('?'), { replyTo: 'nobody', correlationId: 'c' });
    await until('the events have arrived', () => got.length === 3);
    expect(got[0]).to.equal('thing.happened.v1 ');
    const answer = await bus.request('echo.v1', 'echo.say.v1', Buffer.from('still there'), { timeoutMs: 10_000 });
    expect(Buffer.from(answer).toString()).to.equal('still there');
    await stranger.close();
  });

  it('works again after somebody deleted the queue of a worker', async () => {
    const bus = await open();
    let done = 0;
    await bus.work('thing.todo.v1', () => {
      done += 1;
      return Promise.resolve();
    });
    const stranger = await connect(broker.url ?? '');
    await (await stranger.createChannel()).deleteQueue('test.task.thing.todo.v1');
    await stranger.close();
    await until('it has connected again', () => bus.stats().reconnects === 1);
    await bus.enqueue('thing.todo.v1', Buffer.from('x'));
    await until('the task is done', () => done === 1);
  });

  it('refuses what its outbox or its list of requests cannot hold, and goes on', async () => {
    const bus = await open({ maxOutbox: 5, maxPending: 2 });
    await bus.serve('echo.v1', ['echo.say.v1'], () => new Promise(() => undefined));
    const events = await Promise.allSettled(
      Array.from({ length: 8 }, () => bus.publish('thing.happened.v1', Buffer.from('x'))),
    );
    const refused = events.filter((result) => result.status === 'rejected');
    expect(refused.map(({ reason }) => (reason as { code: string }).code)).to.deep.equal(
      Array.from({ length: 3 }, () => 'ERR_BUS_FULL'),
    );
    const ask = (): Promise<unknown> => bus.request('echo.v1', 'echo.say.v1', Buffer.from(''), { timeoutMs: 100 });
    const codes = await Promise.all([ask(), ask(), ask()].map(async (call) => (await errorOf(call)).code));
    expect(codes.sort()).to.deep.equal(['ERR_BUS_FULL', 'ERR_BUS_TIMEOUT', 'ERR_BUS_TIMEOUT']);
    await bus.publish('thing.happened.v1', Buffer.from('x'));
  });

  it('asks with what is left of the deadline when the broker comes back in time, and times out when not', async () => {
    const bus = await open();
    await bus.serve('echo.v1', ['echo.say.v1'], ({ body }) => Promise.resolve(body));
    let late: Promise<Error & { code?: string }> | undefined;
    let early: Promise<Uint8Array> | undefined;
    await broker.restart(async () => {
      await until('the loss is noticed', () => bus.stats().state === 'reconnecting');
      early = bus.request('echo.v1', 'echo.say.v1', Buffer.from('kept'), { timeoutMs: 60_000 });
      late = errorOf(bus.request('echo.v1', 'echo.say.v1', Buffer.from(''), { timeoutMs: 10 }));
      expect((await late).code).to.equal('ERR_BUS_TIMEOUT');
    });
    expect(Buffer.from((await early) ?? []).toString()).to.equal('kept');
  });

  it('tells who sends a task that its queue is full', async () => {
    const bus = await open({ maxQueued: 3 });
    const sent = await Promise.allSettled(
      Array.from({ length: 5 }, () => bus.enqueue('thing.full.v1', Buffer.from('x'))),
    );
    const codes = sent.map((result) =>
      result.status === 'rejected' ? (result.reason as { code: string }).code : 'sent',
    );
    expect(codes).to.deep.equal(['sent', 'sent', 'sent', 'ERR_BUS_FULL', 'ERR_BUS_FULL']);
  });

  it('never writes the url with its password to the log', () => {
    expect(JSON.stringify(log.lines)).to.not.contain('guest:guest');
  });
});
