import { expect } from 'chai';
import { conformance, drain, publish } from './conformance.js';

conformance('routing', (bench) => {
  const queue = async (): Promise<string> => (await bench.channel.assertQueue('', { exclusive: true })).queue;

  it('the default exchange leads to the queue named by the key', async () => {
    const name = await queue();
    await publish(bench.channel, '', name, 'direct');
    expect(await drain(bench.channel, name)).to.deep.equal(['direct']);
  });

  it('a direct exchange compares keys and delivers once to a queue bound twice', async () => {
    const name = await queue();
    await bench.channel.bindQueue(name, 'amq.direct', 'a');
    await bench.channel.bindQueue(name, 'amq.direct', 'a', { other: 1 });
    await publish(bench.channel, 'amq.direct', 'a', 'hit');
    await publish(bench.channel, 'amq.direct', 'b', 'miss');
    expect(await drain(bench.channel, name)).to.deep.equal(['hit']);
  });

  it('a fanout exchange ignores the key', async () => {
    const [one, two] = [await queue(), await queue()];
    await bench.channel.bindQueue(one, 'amq.fanout', 'x');
    await bench.channel.bindQueue(two, 'amq.fanout', '');
    await publish(bench.channel, 'amq.fanout', 'whatever', 'all');
    expect([await drain(bench.channel, one), await drain(bench.channel, two)]).to.deep.equal([['all'], ['all']]);
  });

  const TOPICS: [string, string[], string[]][] = [
    ['a.*.c', ['a.b.c', 'a..c'], ['a.c', 'a.b.b.c', 'a.b']],
    ['a.#', ['a', 'a.b', 'a.b.c', 'a.'], ['b', 'aa']],
    ['#', ['', 'a', 'a.b.c'], []],
    ['#.z', ['z', 'a.z', 'a.b.z'], ['z.a', '']],
    ['*', ['a', '*'], ['', 'a.b']],
    ['a.#.b.#.c', ['a.b.c', 'a.x.b.y.z.c', 'a.b.b.c.c'], ['a.c', 'a.b', 'b.c']],
    ['', [''], ['a']],
    ['*.#', ['a', 'a.b'], ['']],
  ];
  for (const [pattern, hits, misses] of TOPICS) {
    it(`topic pattern '${pattern}'`, async () => {
      const name = await queue();
      await bench.channel.bindQueue(name, 'amq.topic', pattern);
      for (const key of [...hits, ...misses]) bench.channel.publish('amq.topic', key, Buffer.from(key));
      await bench.channel.waitForConfirms();
      expect(await drain(bench.channel, name)).to.deep.equal(hits);
    });
  }

  const HEADERS: [string, Record<string, unknown>, Record<string, unknown>, boolean][] = [
    ['all of them', { 'x-match': 'all', a: 1, b: 'x' }, { a: 1, b: 'x', c: 2 }, true],
    ['one is missing', { 'x-match': 'all', a: 1, b: 'x' }, { a: 1 }, false],
    ['any of them', { 'x-match': 'any', a: 1, b: 'x' }, { b: 'x' }, true],
    ['none of them', { 'x-match': 'any', a: 1, b: 'x' }, { a: 2, b: 'y' }, false],
    ['all is the default', { a: 1 }, { a: 1 }, true],
    ['another type', { a: 1 }, { a: '1' }, false],
    ['x- names are not compared', { 'x-match': 'all', 'x-a': 1, b: true }, { b: true }, true],
    ['no value asks for presence', { 'x-match': 'all', a: null }, { a: 'anything' }, true],
    ['another width of integer', { a: 1 }, { a: { '!': 'int64', value: 1 } }, true],
  ];
  for (const [title, pattern, headers, hit] of HEADERS) {
    it(`headers exchange: ${title}`, async () => {
      const name = await queue();
      await bench.channel.bindQueue(name, 'amq.headers', '', pattern);
      await publish(bench.channel, 'amq.headers', '', 'm', { headers });
      expect(await drain(bench.channel, name)).to.have.length(hit ? 1 : 0);
    });
  }

  it('exchanges bound to exchanges pass messages on, round a cycle too', async () => {
    const [a, b, name] = [bench.fresh('a'), bench.fresh('b'), await queue()];
    for (const exchange of [a, b]) await bench.channel.assertExchange(exchange, 'topic');
    await bench.channel.bindExchange(b, a, 'k.#');
    await bench.channel.bindExchange(a, b, '#');
    await bench.channel.bindQueue(name, b, '*.one');
    await publish(bench.channel, a, 'k.one', 'hit');
    await publish(bench.channel, a, 'k.two', 'miss');
    expect(await drain(bench.channel, name)).to.deep.equal(['hit']);
    await bench.channel.unbindExchange(b, a, 'k.#');
    await publish(bench.channel, a, 'k.one', 'gone');
    expect(await drain(bench.channel, name)).to.deep.equal([]);
    for (const exchange of [a, b]) await bench.channel.deleteExchange(exchange);
  });

  it('what matches nothing goes to the alternate exchange', async () => {
    const [main, name] = [bench.fresh('main'), await queue()];
    await bench.channel.assertExchange(main, 'direct', { alternateExchange: 'amq.fanout' });
    await bench.channel.bindQueue(name, 'amq.fanout', '');
    await publish(bench.channel, main, 'unknown', 'caught', { mandatory: true });
    expect(await drain(bench.channel, name)).to.deep.equal(['caught']);
    await bench.channel.deleteExchange(main);
  });

  it('CC and BCC add keys, and BCC is not seen by consumers', async () => {
    const names = [await queue(), await queue(), await queue()];
    const [to, copy, hidden] = names as [string, string, string];
    await publish(bench.channel, '', to, 'm', { CC: [copy], BCC: [hidden] });
    for (const name of names) {
      const message = await bench.channel.get(name, { noAck: true });
      if (message === false) throw new Error(`nothing in ${name}`);
      expect(message.properties.headers).to.deep.equal({ CC: [copy] });
    }
  });

  it('returns a mandatory message that no queue gets, before it confirms', async () => {
    const returned: string[] = [];
    bench.channel.on('return', (message) =>
      returned.push(`${message.fields.routingKey}:${message.content.toString()}`),
    );
    await publish(bench.channel, 'amq.direct', 'nowhere', 'back', { mandatory: true });
    expect(returned).to.deep.equal(['nowhere:back']);
  });

  it('unbinding stops the flow, and doing it twice is no error', async () => {
    const name = await queue();
    await bench.channel.bindQueue(name, 'amq.direct', 'gone');
    for (let i = 0; i < 2; i++) await bench.channel.unbindQueue(name, 'amq.direct', 'gone');
    await publish(bench.channel, 'amq.direct', 'gone', 'm');
    expect(await drain(bench.channel, name)).to.deep.equal([]);
  });

  it('an auto-delete exchange goes with its last binding', async () => {
    const [exchange, name] = [bench.fresh('auto'), await queue()];
    await bench.channel.assertExchange(exchange, 'fanout', { autoDelete: true });
    await bench.channel.bindQueue(name, exchange, '');
    await bench.channel.unbindQueue(name, exchange, '');
    expect(await bench.channelError((channel) => channel.checkExchange(exchange))).to.equal(404);
  });

  it('an internal exchange takes no publish but passes on', async () => {
    const exchange = bench.fresh('internal');
    await bench.channel.assertExchange(exchange, 'fanout', { internal: true });
    const code = await bench.channelError(async (channel) => {
      channel.publish(exchange, '', Buffer.from('x'));
      return Promise.resolve();
    });
    expect(code).to.equal(403);
    await bench.channel.deleteExchange(exchange);
  });
});
