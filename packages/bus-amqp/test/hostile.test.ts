import { expect } from 'chai';
import { connect, type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { AmqpServer } from '@it-chain/amqp-server';
import { connectAmqpBus } from '@it-chain/bus-amqp';
import type { Bus } from '@it-chain/contracts';

const REPLY_TO = 'amq.rabbitmq.reply-to';

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 15_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6);
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What counts up in an id: its last run of digits and letters. */
function successors(id: string, count: number): string[] {
  const [, head = '', tail = ''] = /^(.*?)([0-9a-z]*)$/.exec(id) ?? [];
  const next = parseInt(tail === '' ? '0' : tail, 36);
  return Array.from({ length: count }, (_, index) => `${head}${(next + index).toString(36)}`);
}

describe('a bus with somebody hostile on it', function () {
  this.timeout(120_000);
  let server: AmqpServer;
  let url: string;
  let buses: Bus[];
  let models: ChannelModel[];

  beforeEach(async () => {
    server = new AmqpServer({ closeTimeoutMs: 100 });
    const { port } = await server.listen({ port: 0 });
    url = `amqp://guest:guest@127.0.0.1:${port}`;
    [buses, models] = [[], []];
  });
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.close(0)));
    await Promise.all(models.map((model) => model.close()));
    await server.close();
  });

  async function join(options: { readonly maxHandling?: number } = {}): Promise<Bus> {
    const bus = await connectAmqpBus({ url, namespace: 'n', retryDelayMs: 1, ...options });
    buses.push(bus);
    return bus;
  }
  async function raw(): Promise<Channel> {
    const model = await connect(url);
    models.push(model);
    return model.createChannel();
  }

  it('does not wait without end for one who swallows the question whether it is there', async () => {
    const [node, hostile] = [await join(), await raw()];
    let swallowed = 0;
    await hostile.assertQueue('n.rpc.audit.v1', { exclusive: true, durable: false });
    await hostile.consume('n.rpc.audit.v1', () => (swallowed += 1), { noAck: true });
    await hostile.bindQueue('n.rpc.audit.v1', 'n.rpc', 'probe.audit.v1');
    const error: unknown = await node.waitForRole('audit.v1', 100).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'ERR_BUS_NO_PROVIDER');
    expect(swallowed).to.be.greaterThan(0);
  });

  it('takes no answer from a provider that was asked something else', async () => {
    const [node, honest, hostile] = [await join(), await join(), await raw()];
    let asked: ConsumeMessage | undefined;
    await hostile.assertQueue('n.rpc.audit.v1', { exclusive: true, durable: false });
    await hostile.consume('n.rpc.audit.v1', (message) => (asked = message ?? undefined), { noAck: true });
    await hostile.bindQueue('n.rpc.audit.v1', 'n.rpc', 'audit.find.v1');
    let answer: (() => void) | undefined;
    await honest.serve('chain.v1', ['block.get.v1'], () => {
      return new Promise((resolve) => (answer = () => resolve(Buffer.from('true'))));
    });
    const audit = node.request('audit.v1', 'audit.find.v1', Buffer.from(''), { timeoutMs: 100_000 });
    await until('the question', () => asked !== undefined);
    const { replyTo, correlationId } = asked?.properties as { replyTo: string; correlationId: string };
    hostile.publish('', replyTo, Buffer.from('mine'), { correlationId, type: 'answer' });
    expect(Buffer.from(await audit).toString()).to.equal('mine');

    const open = node.request('chain.v1', 'block.get.v1', Buffer.from(''), { timeoutMs: 100_000 });
    for (const guess of successors(correlationId, 100)) {
      hostile.publish('', replyTo, Buffer.from('false'), { correlationId: guess, type: 'answer' });
    }
    // What was published before on that channel is there by then.
    await hostile.checkExchange('n.rpc');
    await until('a provider at work', () => answer !== undefined);
    answer?.();
    expect(Buffer.from(await open).toString()).to.equal('true');
  });

  it('puts no answer into a queue that the asker names', async () => {
    const [node, hostile] = [await join(), await raw()];
    await node.serve('chain.v1', ['block.get.v1'], () => Promise.resolve(Buffer.from('from a block')));
    const tasks: string[] = [];
    await node.work('report.make.v1', ({ body }) => Promise.resolve(void tasks.push(Buffer.from(body).toString())));
    const ask = { correlationId: 'x', replyTo: 'n.task.report.make.v1', expiration: '10000' };
    hostile.publish('n.rpc', 'block.get.v1', Buffer.from(''), ask);
    await hostile.checkExchange('n.rpc');
    // Behind the false one: both go through the same provider and the same queue.
    await node.request('chain.v1', 'block.get.v1', Buffer.from(''), { timeoutMs: 100_000 });
    await node.enqueue('report.make.v1', Buffer.from('a task'));
    await until('a task', () => tasks.includes('a task'));
    expect(tasks).to.deep.equal(['a task']);
  });

  it('works on no more than it may, also for requests of one id', async () => {
    const [node, hostile] = [await join({ maxHandling: 2 }), await raw()];
    let [working, refused] = [0, 0];
    await node.serve('chain.v1', ['block.get.v1'], () => {
      working += 1;
      return new Promise(() => undefined);
    });
    await hostile.consume(REPLY_TO, (message) => (refused += message?.properties.type === 'error' ? 1 : 0), {
      noAck: true,
    });
    for (let count = 0; count < 20; count += 1) {
      const ask = { correlationId: 'same', replyTo: REPLY_TO, expiration: '100000' };
      hostile.publish('n.rpc', 'block.get.v1', Buffer.from(''), ask);
    }
    await until('all are handled', () => working + refused === 20);
    expect({ working, refused }).to.deep.equal({ working: 2, refused: 18 });
  });

  it('lets nobody take the request of another out of hand by using its id', async () => {
    const [node, honest, hostile] = [await join(), await raw(), await raw()];
    let working = 0;
    await node.serve('chain.v1', ['block.get.v1'], ({ body }) => {
      working += 1;
      return body.length > 0 ? Promise.resolve(body) : new Promise(() => undefined);
    });
    const answers: string[] = [];
    const hear = (channel: Channel): Promise<unknown> =>
      channel.consume(
        REPLY_TO,
        (message) => {
          answers.push(`${String(message?.properties.type)}:${message?.content.toString() ?? ''}`);
        },
        { noAck: true },
      );
    await hear(honest);
    await hear(hostile);
    const ask = { correlationId: 'x', replyTo: REPLY_TO, expiration: '100000' };
    honest.publish('n.rpc', 'block.get.v1', Buffer.from(''), ask);
    await until('the first is in hand', () => working === 1);
    hostile.publish('n.rpc', 'block.get.v1', Buffer.from('now'), ask);
    await until('the other is answered', () => answers.includes('answer:now'));
    honest.publish('n.rpc', 'probe.chain.v1', Buffer.from('x'), { ...ask, correlationId: 'p', type: 'probe' });
    await until('the probe is answered', () => answers.length === 2);
    expect(answers[1], 'what is not in hand').to.equal('probe:');
  });
});
