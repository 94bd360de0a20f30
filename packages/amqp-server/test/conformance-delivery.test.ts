import { expect } from 'chai';
import { conformance, drain, Inbox, publish } from './conformance.js';

conformance('delivery', (bench) => {
  const queue = async (options: object = {}): Promise<string> =>
    (await bench.channel.assertQueue('', { exclusive: true, ...options })).queue;
  const fill = async (name: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) bench.channel.sendToQueue(name, Buffer.from(String(i)));
    await bench.channel.waitForConfirms();
  };

  it('keeps all properties and headers as they were sent', async () => {
    const name = await queue();
    const sent = {
      contentType: 'application/json',
      contentEncoding: 'gzip',
      headers: { text: 'ä', int: 5, big: 2 ** 40, double: 1.5, yes: true, nil: null, list: [1, 'a'], map: { x: 'y' } },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '60000',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: 'guest',
      appId: 'a',
    };
    await publish(bench.channel, '', name, 'body', sent);
    const message = await bench.channel.get(name, { noAck: true });
    if (message === false) throw new Error('nothing there');
    expect(message.properties).to.deep.include(sent);
    expect(message.content.toString()).to.equal('body');
  });

  for (const size of [0, 1, 4088, 8191, 8192, 8193, 65_536, 131_064, 131_065, 1_000_000]) {
    it(`carries a body of ${size} octets`, async () => {
      const name = await queue();
      const body = Buffer.alloc(size, 'abcdefg');
      bench.channel.sendToQueue(name, body);
      await bench.channel.waitForConfirms();
      const message = await bench.channel.get(name, { noAck: true });
      expect(message !== false && message.content.equals(body)).to.equal(true);
    });
  }

  it('shares a queue fairly among consumers', async () => {
    const name = await queue();
    const [a, b] = [new Inbox(), new Inbox()];
    await bench.channel.consume(name, a.take, { noAck: true });
    await bench.channel.consume(name, b.take, { noAck: true });
    await fill(name, 10);
    await a.atLeast(5);
    await b.atLeast(5);
    expect([a.messages.length, b.messages.length]).to.deep.equal([5, 5]);
  });

  it('serves consumers of higher priority first, up to their prefetch', async () => {
    const name = await queue();
    const [low, high] = [new Inbox(), new Inbox()];
    await bench.channel.prefetch(2);
    await bench.channel.consume(name, low.take, { priority: 1 });
    await bench.channel.consume(name, high.take, { priority: 5 });
    await fill(name, 3);
    await low.atLeast(1);
    expect([high.texts, low.texts]).to.deep.equal([['0', '1'], ['2']]);
  });

  it('prefetch limits each consumer, and an acknowledgement makes room', async () => {
    const name = await queue();
    const inbox = new Inbox();
    await bench.channel.prefetch(2);
    await bench.channel.consume(name, inbox.take);
    await fill(name, 5);
    await inbox.atLeast(2);
    expect((await bench.channel.checkQueue(name)).messageCount).to.equal(3);
    const [first] = inbox.messages;
    if (first !== undefined) bench.channel.ack(first);
    await inbox.atLeast(3);
    const third = inbox.messages[2];
    if (third !== undefined) bench.channel.ack(third, true);
    expect((await inbox.atLeast(5)).length).to.equal(5);
  });

  it('prefetch with the global flag limits the channel', async () => {
    const [one, two] = [await queue(), await queue()];
    const inbox = new Inbox();
    const { channel } = await bench.another();
    const names = [bench.fresh('one'), bench.fresh('two')];
    for (const name of names) await channel.assertQueue(name, { exclusive: true });
    await channel.prefetch(3, true);
    for (const name of names) await channel.consume(name, inbox.take);
    for (const name of names) for (let i = 0; i < 3; i++) channel.sendToQueue(name, Buffer.from('m'));
    await channel.waitForConfirms();
    await inbox.atLeast(3);
    expect(inbox.messages).to.have.length(3);
    channel.ackAll();
    expect(await inbox.atLeast(6)).to.have.length(6);
    expect([one, two]).to.have.length(2);
  });

  it('a rejected message comes back to its place, marked as redelivered', async () => {
    const name = await queue();
    await fill(name, 4);
    const got = [await bench.channel.get(name), await bench.channel.get(name), await bench.channel.get(name)];
    for (const message of got.reverse()) if (message !== false) bench.channel.nack(message, false, true);
    const again = await bench.channel.get(name, { noAck: true });
    expect(again !== false && again.fields.redelivered).to.equal(true);
    expect(await drain(bench.channel, name)).to.deep.equal(['1', '2', '3']);
  });

  it('recover redelivers what is not acknowledged', async () => {
    const name = await queue();
    const inbox = new Inbox();
    await bench.channel.consume(name, inbox.take);
    await fill(name, 2);
    await inbox.atLeast(2);
    await bench.channel.recover();
    await inbox.atLeast(4);
    expect(inbox.messages.map((message) => message.fields.redelivered)).to.deep.equal([false, false, true, true]);
    expect(inbox.texts).to.deep.equal(['0', '1', '0', '1']);
  });

  it('closing a channel gives its messages back', async () => {
    const name = await queue();
    await fill(name, 3);
    const other = await bench.connection.createChannel();
    const inbox = new Inbox();
    await other.consume(name, inbox.take);
    await inbox.atLeast(3);
    await other.close();
    expect(await drain(bench.channel, name)).to.deep.equal(['0', '1', '2']);
  });

  it('tells a consumer when its queue is deleted', async () => {
    const name = await queue();
    const inbox = new Inbox();
    await bench.channel.consume(name, inbox.take);
    await bench.channel.deleteQueue(name);
    await inbox.cancellation();
  });

  it('direct reply-to answers the asking channel', async () => {
    const name = await queue();
    const { channel } = await bench.another();
    const replies = new Inbox();
    const work = new Inbox();
    await bench.channel.consume(name, work.take, { noAck: true });
    await channel.consume('amq.rabbitmq.reply-to', replies.take, { noAck: true });
    channel.sendToQueue(name, Buffer.from('ask'), { replyTo: 'amq.rabbitmq.reply-to', correlationId: '7' });
    const [request] = await work.atLeast(1);
    const address = String(request?.properties.replyTo);
    expect(address).to.match(/^amq\.rabbitmq\.reply-to\../);
    await publish(bench.channel, '', address, 'answer', { correlationId: '7', mandatory: true });
    const [reply] = await replies.atLeast(1);
    expect([reply?.content.toString(), reply?.properties.correlationId]).to.deep.equal(['answer', '7']);
    await channel.close();
    const returned = new Promise((resolve) => bench.channel.once('return', resolve));
    await publish(bench.channel, '', address, 'too late', { mandatory: true });
    await returned;
  });

  it('refuses a reply consumer that wants to acknowledge, and a request without a reply consumer', async () => {
    const reply = 'amq.rabbitmq.reply-to';
    expect(await bench.channelError((channel) => channel.consume(reply, () => undefined))).to.equal(406);
    const code = await bench.channelError(async (channel) => {
      channel.publish('', 'any', Buffer.from(''), { replyTo: reply });
      return Promise.resolve();
    });
    expect(code).to.equal(406);
  });

  it('a single active consumer is followed by the next', async () => {
    const name = bench.fresh('single');
    await bench.channel.assertQueue(name, { arguments: { 'x-single-active-consumer': true } });
    const [first, second] = [new Inbox(), new Inbox()];
    const { consumerTag } = await bench.channel.consume(name, first.take, { noAck: true });
    await bench.channel.consume(name, second.take, { noAck: true });
    await fill(name, 4);
    await first.atLeast(4);
    await bench.channel.cancel(consumerTag);
    await fill(name, 2);
    await second.atLeast(2);
    expect([first.messages.length, second.messages.length]).to.deep.equal([4, 2]);
    await bench.channel.deleteQueue(name);
  });

  it('an exclusive consumer is alone', async () => {
    const name = await queue();
    await bench.channel.consume(name, () => undefined, { exclusive: true });
    expect(await bench.channelError((channel) => channel.consume(name, () => undefined))).to.equal(403);
  });

  it('cancelling keeps the messages already delivered', async () => {
    const name = await queue();
    const inbox = new Inbox();
    const { consumerTag } = await bench.channel.consume(name, inbox.take);
    await fill(name, 1);
    const [message] = await inbox.atLeast(1);
    await bench.channel.cancel(consumerTag);
    if (message !== undefined) bench.channel.ack(message);
    expect((await bench.channel.checkQueue(name)).messageCount).to.equal(0);
  });
});
