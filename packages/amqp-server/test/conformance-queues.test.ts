import { expect } from 'chai';
import { conformance, drain, eventually, Inbox, publish } from './conformance.js';

conformance('queues', (bench) => {
  const queue = async (options: object = {}): Promise<string> =>
    (await bench.channel.assertQueue('', { exclusive: true, ...options })).queue;
  const dead = async (options: object): Promise<{ name: string; letters: string }> => {
    const letters = await queue();
    const name = await queue({ deadLetterExchange: '', deadLetterRoutingKey: letters, ...options });
    return { name, letters };
  };

  it('names a queue when the client does not', async () => {
    expect(await queue()).to.match(/^amq\.gen-/);
  });

  it('an exclusive queue is locked for others and goes with its connection', async () => {
    const { connection, channel } = await bench.another();
    const name = bench.fresh('mine');
    await channel.assertQueue(name, { exclusive: true });
    expect(await bench.channelError((other) => other.checkQueue(name))).to.equal(405);
    await connection.close();
    expect(await bench.channelError((other) => other.checkQueue(name))).to.equal(404);
  });

  it('an auto-delete queue goes with its last consumer', async () => {
    const name = bench.fresh('auto');
    await bench.channel.assertQueue(name, { autoDelete: true });
    const { consumerTag } = await bench.channel.consume(name, () => undefined);
    await bench.channel.cancel(consumerTag);
    expect(await bench.channelError((channel) => channel.checkQueue(name))).to.equal(404);
  });

  it('counts, purges and deletes', async () => {
    const name = await queue();
    for (const text of ['a', 'b']) await publish(bench.channel, '', name, text);
    expect((await bench.channel.checkQueue(name)).messageCount).to.equal(2);
    expect((await bench.channel.purgeQueue(name)).messageCount).to.equal(2);
    await publish(bench.channel, '', name, 'c');
    expect((await bench.channel.deleteQueue(name)).messageCount).to.equal(1);
    expect((await bench.channel.deleteQueue(name)).messageCount).to.equal(0);
  });

  it('drops the oldest of a full queue (x-max-length)', async () => {
    const name = await queue({ maxLength: 2 });
    for (const text of ['a', 'b', 'c']) await publish(bench.channel, '', name, text);
    expect(await drain(bench.channel, name)).to.deep.equal(['b', 'c']);
  });

  it('drops the oldest of a queue with too many octets (x-max-length-bytes)', async () => {
    const name = await queue({ arguments: { 'x-max-length-bytes': 5 } });
    for (const text of ['aa', 'bb', 'cc']) await publish(bench.channel, '', name, text);
    expect(await drain(bench.channel, name)).to.deep.equal(['bb', 'cc']);
  });

  it('refuses what does not fit (x-overflow reject-publish) with a negative confirm', async () => {
    const name = await queue({ maxLength: 2, arguments: { 'x-overflow': 'reject-publish' } });
    const refused: number[] = [];
    for (let i = 0; i < 4; i++) {
      bench.channel.sendToQueue(name, Buffer.from(String(i)), {}, (error: unknown) => {
        if (error !== null) refused.push(i);
      });
      await bench.channel.waitForConfirms().catch(() => undefined);
    }
    expect(refused).to.deep.equal([2, 3]);
    expect(await drain(bench.channel, name)).to.deep.equal(['0', '1']);
  });

  it('a message expires by the time to live of its queue', async () => {
    const { name, letters } = await dead({ messageTtl: 30 });
    await publish(bench.channel, '', name, 'old');
    const letter = await eventually(bench.channel, letters);
    expect(letter.content.toString()).to.equal('old');
    expect(letter.properties.headers?.['x-first-death-reason']).to.equal('expired');
  });

  it('a message expires by its own expiration, which the dead letter no longer has', async () => {
    const { name, letters } = await dead({});
    await publish(bench.channel, '', name, 'old', { expiration: '30' });
    const letter = await eventually(bench.channel, letters);
    const [death] = letter.properties.headers?.['x-death'] as unknown as Record<string, unknown>[];
    expect(letter.properties.expiration).to.equal(undefined);
    expect(death?.['original-expiration']).to.equal('30');
  });

  it('a message that expires at once still reaches a consumer that waits', async () => {
    const name = await queue({ messageTtl: 0 });
    await publish(bench.channel, '', name, 'nobody waits');
    const inbox = new Inbox();
    await bench.channel.consume(name, inbox.take, { noAck: true });
    await publish(bench.channel, '', name, 'taken');
    await inbox.atLeast(1);
    expect(inbox.texts).to.deep.equal(['taken']);
  });

  it('an unused queue expires (x-expires)', async () => {
    const name = bench.fresh('expires');
    await bench.channel.assertQueue(name, { expires: 40 });
    for (;;) {
      // Asking by basic.get or a declaration would count as use; a delete with if-empty of a missing queue does not.
      await new Promise((resolve) => setTimeout(resolve, 300));
      if ((await bench.channelError((channel) => channel.checkQueue(name))) === 404) return;
    }
  });

  it('dead-letters a rejected message with its history', async () => {
    const { name, letters } = await dead({});
    for (let round = 1; round <= 2; round++) {
      await publish(bench.channel, '', name, 'bad', { headers: { mine: 'kept' } });
      const message = await bench.channel.get(name);
      if (message !== false) bench.channel.nack(message, false, false);
      const letter = await eventually(bench.channel, letters);
      const headers = letter.properties.headers ?? {};
      const [death] = headers['x-death'] as unknown as Record<string, unknown>[];
      expect(headers['mine']).to.equal('kept');
      expect(headers['x-first-death-queue']).to.equal(name);
      expect(headers['x-first-death-exchange']).to.equal('');
      expect(death).to.deep.include({
        count: 1,
        reason: 'rejected',
        queue: name,
        exchange: '',
        'routing-keys': [name],
      });
      expect(letter.fields.routingKey).to.equal(letters);
    }
  });

  it('counts deaths of the same kind in one entry', async () => {
    const name = bench.fresh('again');
    await bench.channel.assertQueue(name, { exclusive: true, deadLetterExchange: '' });
    await publish(bench.channel, '', name, 'bad');
    for (let round = 0; round < 3; round++) {
      const message = await bench.channel.get(name);
      if (message !== false) bench.channel.nack(message, false, false);
      while ((await bench.channel.checkQueue(name)).messageCount === 0) continue;
    }
    const letter = await eventually(bench.channel, name);
    const deaths = letter.properties.headers?.['x-death'] as unknown as Record<string, unknown>[];
    expect(deaths).to.have.length(1);
    expect(deaths[0]?.['count']).to.equal(3);
  });

  it('dead-letters what a full queue drops', async () => {
    const { name, letters } = await dead({ maxLength: 1 });
    for (const text of ['a', 'b']) await publish(bench.channel, '', name, text);
    const letter = await eventually(bench.channel, letters);
    expect(letter.content.toString()).to.equal('a');
    expect(letter.properties.headers?.['x-first-death-reason']).to.equal('maxlen');
  });

  it('drops a message that would go round for ever', async () => {
    const name = bench.fresh('cycle');
    await bench.channel.assertQueue(name, { exclusive: true, deadLetterExchange: '', messageTtl: 20 });
    await publish(bench.channel, '', name, 'round');
    while ((await bench.channel.checkQueue(name)).messageCount > 0) continue;
  });

  it('gives up a message after its delivery limit', async () => {
    const letters = await queue();
    const name = bench.fresh('quorum');
    await bench.channel.assertQueue(name, {
      durable: true,
      deadLetterExchange: '',
      deadLetterRoutingKey: letters,
      arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 2 },
    });
    await publish(bench.channel, '', name, 'poison');
    const counts: unknown[] = [];
    await bench.channel.consume(name, (message) => {
      if (message === null) return;
      counts.push(message.properties.headers?.['x-delivery-count']);
      bench.channel.nack(message, false, true);
    });
    const letter = await eventually(bench.channel, letters);
    expect(counts).to.deep.equal([undefined, 1, 2]);
    expect(letter.properties.headers?.['x-first-death-reason']).to.equal('delivery_limit');
    await bench.channel.deleteQueue(name);
  });

  it('serves messages of higher priority first (x-max-priority)', async () => {
    const name = await queue({ maxPriority: 5 });
    for (const priority of [1, 5, 3, 9, 0]) await publish(bench.channel, '', name, String(priority), { priority });
    expect(await drain(bench.channel, name)).to.deep.equal(['5', '9', '3', '1', '0']);
  });
});
