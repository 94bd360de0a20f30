import { AmqpServer } from '@it-chain/amqp-server';
import amqp, { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { type PrivateRabbitMq, startRabbitMq } from './rabbitmq.js';

/** What a behavioural test works with: a broker, ours or RabbitMQ, and connections to it. */
export interface Bench {
  readonly name: string;
  connection: ChannelModel;
  channel: ConfirmChannel;
  /** A second connection with a channel of its own; closed after the test. */
  another(): Promise<{ connection: ChannelModel; channel: ConfirmChannel }>;
  /** A name nobody used before. */
  fresh(what: string): string;
  /** Does something that must close the channel; returns the reply code and gives the bench a new channel. */
  channelError(action: (channel: Channel) => Promise<unknown>): Promise<number>;
}

let count = 0;
let rabbit: Promise<PrivateRabbitMq> | undefined;

/** With RABBITMQ=1 in the environment every behavioural test also runs on a private RabbitMQ, the oracle. */
const withOracle = process.env['RABBITMQ'] === '1';
if (!withOracle) process.stdout.write('amqp-server: comparison with RabbitMQ not run (set RABBITMQ=1 to run it)\n');
else {
  // A root hook: the oracle serves all files and is stopped after the last of them.
  after(async function () {
    this.timeout(60_000);
    await (await rabbit)?.stop();
  });
}

/** Defines the same tests for our server and, when asked for, for RabbitMQ. */
export function conformance(title: string, define: (bench: Bench) => void): void {
  describe(`${title} (this server)`, () => {
    let server: AmqpServer;
    suite(
      'ours',
      async () => {
        server = new AmqpServer();
        const address = await server.listen();
        return address.url;
      },
      () => server.close(),
      define,
    );
  });
  if (!withOracle) return;
  describe(`${title} (RabbitMQ)`, function () {
    this.timeout(120_000);
    suite(
      'rabbitmq',
      async () => (await (rabbit ??= startRabbitMq())).url,
      async () => Promise.resolve(),
      define,
    );
  });
}

function suite(
  name: string,
  start: () => Promise<string>,
  stop: () => Promise<void>,
  define: (bench: Bench) => void,
): void {
  let url = '';
  const others: ChannelModel[] = [];
  const open = async (): Promise<{ connection: ChannelModel; channel: ConfirmChannel }> => {
    const connection = await amqp.connect(url);
    connection.on('error', () => undefined); // Tests look at the errors of the operations they call.
    return { connection, channel: await quietChannel(connection) };
  };
  const bench = {
    name,
    another: async () => {
      const opened = await open();
      others.push(opened.connection);
      return opened;
    },
    fresh: (what: string) => `conformance.${what}.${process.pid}.${++count}`,
    channelError: async (action: (channel: Channel) => Promise<unknown>) => {
      const channel = await bench.connection.createChannel();
      const code = new Promise<number>((resolve) => {
        channel.once('error', (error: Error & { code?: number }) => resolve(error.code ?? 0));
      });
      await action(channel).catch(() => undefined);
      return code;
    },
  } as Bench;
  before(async () => {
    url = await start();
  });
  beforeEach(async () => {
    Object.assign(bench, await open());
  });
  afterEach(async () => {
    for (const connection of [bench.connection, ...others.splice(0)]) await connection.close().catch(() => undefined);
  });
  after(stop);
  define(bench);
}

async function quietChannel(connection: ChannelModel): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined); // As above.
  return channel;
}

/** Collects deliveries of a consumer and waits for a number of them. */
export class Inbox {
  readonly messages: ConsumeMessage[] = [];
  /** How often the consumer was cancelled by the server. */
  cancelled = 0;
  #wake: (() => void)[] = [];

  readonly take = (message: ConsumeMessage | null): void => {
    if (message === null) this.cancelled++;
    else this.messages.push(message);
    for (const wake of this.#wake.splice(0)) wake();
  };

  /** Waits until so many messages came; mocha's limit ends a wait in vain. */
  async atLeast(number: number): Promise<ConsumeMessage[]> {
    while (this.messages.length < number) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.messages;
  }

  async cancellation(): Promise<void> {
    while (this.cancelled === 0) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** The bodies as text. */
  get texts(): string[] {
    return this.messages.map((message) => message.content.toString());
  }
}

/** Publishes and waits for the confirm. */
export async function publish(
  channel: ConfirmChannel,
  exchange: string,
  key: string,
  body = '',
  options: amqp.Options.Publish = {},
): Promise<void> {
  channel.publish(exchange, key, Buffer.from(body), options);
  await channel.waitForConfirms();
}

/** Fetches until a message is there; for what the server does in its own time (expiry, dead letters). */
export async function eventually(channel: Channel, queue: string): Promise<amqp.GetMessage> {
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message !== false) return message;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All bodies waiting in a queue, as text. */
export async function drain(channel: Channel, queue: string): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return texts;
    texts.push(message.content.toString());
  }
}
