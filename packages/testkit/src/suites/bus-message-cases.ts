import { expect } from 'chai';
import { bytes, createGate, need, never, recorder, text, type BusCase } from './bus-harness.js';

const EVENT = 'thing.happened.v1';
const OTHER = 'thing.ended.v1';
const TASK = 'thing.todo.v1';
const CAST = 'vote.cast.v1';

const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => String(from + index));

const events: BusCase[] = [
  {
    promise: 'B5',
    title: 'two thousand events of two kinds reach each subscriber once and in order',
    run: async ({ bus, until }) => {
      const [one, two, only] = [recorder(), recorder(), recorder()];
      await bus.subscribe([EVENT, OTHER], one.handler);
      await bus.subscribe([EVENT, OTHER], async (message) => {
        if (Number(text(message.body)) % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        await two.handler(message);
      });
      await bus.subscribe([OTHER], only.handler);
      const sent = numbers(2_000);
      await Promise.all(sent.map((body, index) => bus.publish(index % 2 === 0 ? EVENT : OTHER, bytes(body))));
      await until('all have arrived', () => one.got.length + two.got.length + only.got.length >= 5_000);
      expect(one.got).to.deep.equal(sent);
      expect(two.got).to.deep.equal(sent);
      expect(only.got).to.deep.equal(sent.filter((_, index) => index % 2 === 1));
    },
  },
  {
    promise: 'B5',
    title: 'a handler that fails misses that event only; nobody listening is no error',
    run: async ({ bus, until }) => {
      await bus.publish(EVENT, bytes('nobody'));
      const got: string[] = [];
      await bus.subscribe([EVENT], ({ body }) => {
        got.push(text(body));
        if (text(body) === '1') throw new Error('on the spot');
        return text(body) === '2' ? Promise.reject(new Error('later')) : Promise.resolve();
      });
      for (const body of numbers(5)) await bus.publish(EVENT, bytes(body));
      await until('the last has arrived', () => got.includes('4'));
      expect(got).to.deep.equal(numbers(5));
    },
  },
  {
    promise: 'B5',
    title: 'what was published before it came or after it left is not delivered; its facts are',
    run: async ({ bus, until }) => {
      const [early, marker] = [recorder(), recorder()];
      await bus.publish(EVENT, bytes('before'));
      const facts: unknown[] = [];
      const registration = await bus.subscribe([EVENT], async (message) => {
        facts.push({
          address: message.address,
          id: message.messageId,
          sender: message.sender,
          again: message.redelivered,
        });
        await early.handler(message);
      });
      await bus.subscribe([EVENT], marker.handler);
      await bus.publish(EVENT, bytes('during'), { messageId: 'm-7', sender: 'chain' });
      await until('it has arrived', () => early.got.length === 1 && marker.got.length === 1);
      await registration.close();
      await bus.publish(EVENT, bytes('after'));
      await until('the other one has it', () => marker.got.length === 2);
      expect(early.got).to.deep.equal(['during']);
      expect(facts).to.deep.equal([{ address: EVENT, id: 'm-7', sender: 'chain', again: false }]);
    },
  },
  {
    promise: 'B5',
    title: 'subscribers of every process get it',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      const [here, there] = [recorder(), recorder()];
      await bus.subscribe([EVENT], here.handler);
      await other.subscribe([EVENT], there.handler);
      for (const body of numbers(10)) await bus.publish(EVENT, bytes(body));
      await other.publish(EVENT, bytes('back'));
      await until('all have arrived', () => here.got.length === 11 && there.got.length === 11);
      expect(there.got.filter((body) => body !== 'back')).to.deep.equal(numbers(10));
    },
  },
];

const durable: BusCase[] = [
  {
    promise: 'B6',
    title: 'what was published while it was away is there when it comes back, in order, for each name',
    run: async ({ bus, until }) => {
      const [first, again, other] = [recorder(), recorder(), recorder()];
      const registration = await bus.subscribe([EVENT], first.handler, { durable: 'ledger' });
      await bus.subscribe([EVENT], other.handler, { durable: 'index' });
      await bus.publish(EVENT, bytes('here'));
      await until('it has arrived', () => first.got.length === 1);
      await registration.close();
      for (const body of numbers(50)) await bus.publish(EVENT, bytes(body));
      await bus.subscribe([EVENT], again.handler, { durable: 'ledger' });
      await until('all have arrived', () => again.got.length >= 50 && other.got.length >= 51);
      expect(first.got).to.deep.equal(['here']);
      expect(again.got).to.deep.equal(numbers(50));
      expect(other.got).to.deep.equal(['here', ...numbers(50)]);
    },
  },
  {
    promise: 'B6',
    title: 'an event whose handler failed comes again before the next one',
    run: async ({ bus, until }) => {
      const seen: string[] = [];
      const handler = ({ body, redelivered }: { body: Uint8Array; redelivered: boolean }): Promise<void> => {
        seen.push(`${text(body)} ${redelivered ? 'again' : 'first'}`);
        return seen.length === 2 ? Promise.reject(new Error('not now')) : Promise.resolve();
      };
      await bus.subscribe([EVENT], handler, { durable: 'ledger' });
      for (const body of numbers(3)) await bus.publish(EVENT, bytes(body));
      await until('all have arrived', () => seen.length >= 4);
      expect(seen).to.deep.equal(['0 first', '1 first', '1 again', '2 first']);
    },
  },
  {
    promise: 'B6',
    title: 'an event that a process had in hand when it went away comes to the next one',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      let begun = false;
      const hang = (): Promise<void> => {
        begun = true;
        return never();
      };
      await other.subscribe([EVENT], hang, { durable: 'ledger' });
      for (const body of numbers(3)) await bus.publish(EVENT, bytes(body));
      await until('the first one has it', () => begun);
      await other.close(0);
      const { got, handler } = recorder();
      await bus.subscribe([EVENT], handler, { durable: 'ledger' });
      await until('all have arrived', () => got.length >= 3);
      expect(got).to.deep.equal(numbers(3));
    },
  },
];

const tasks: BusCase[] = [
  {
    promise: 'B7',
    title: 'tasks wait for a worker and are done in order; a failed one comes again',
    run: async ({ bus, until }) => {
      for (const body of numbers(3)) await bus.enqueue(TASK, bytes(body), { messageId: `task-${body}` });
      const seen: string[] = [];
      await bus.work(TASK, ({ body, redelivered, messageId }) => {
        seen.push(`${text(body)} ${messageId} ${redelivered ? 'again' : 'first'}`);
        return seen.length <= 2 ? Promise.reject(new Error('not now')) : Promise.resolve();
      });
      await until('all are done', () => seen.length >= 5);
      expect(seen).to.deep.equal([
        '0 task-0 first',
        '0 task-0 again',
        '0 task-0 again',
        '1 task-1 first',
        '2 task-2 first',
      ]);
    },
  },
  {
    promise: 'B7',
    title: 'a task that always fails is tried once and five times more, and does not hold up the next',
    run: async ({ bus, until }) => {
      const seen: string[] = [];
      await bus.work(TASK, ({ body }) => {
        seen.push(text(body));
        return text(body) === 'bad' ? Promise.reject(new Error('never')) : Promise.resolve();
      });
      await bus.enqueue(TASK, bytes('bad'));
      await bus.enqueue(TASK, bytes('good'));
      await until('the good one is done', () => seen.includes('good'));
      await bus.enqueue(TASK, bytes('last'));
      await until('the last one is done', () => seen.includes('last'));
      expect(seen).to.deep.equal([...Array.from({ length: 6 }, () => 'bad'), 'good', 'last']);
    },
  },
  {
    promise: 'B7',
    title: 'what failed too often is kept as a dead letter',
    needs: ['deadLetters'],
    run: async ({ bus, until, deadLetters }) => {
      const before = await need(deadLetters)();
      let tries = 0;
      await bus.work(TASK, () => {
        tries += 1;
        return Promise.reject(new Error('never'));
      });
      await bus.enqueue(TASK, bytes('bad'));
      await until('it was tried six times', () => tries === 6);
      let letters = before;
      let asking = false;
      await until('it is a dead letter', () => {
        if (!asking) {
          asking = true;
          void need(deadLetters)().then((count) => {
            letters = count;
            asking = false;
          });
        }
        return letters === before + 1;
      });
    },
  },
  {
    promise: 'B7',
    title: 'no more than its concurrency are in hand, and each is done once',
    run: async ({ bus, until }) => {
      let running = 0;
      let most = 0;
      const { got, handler } = recorder();
      const worker = async (message: Parameters<typeof handler>[0]): Promise<void> => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        await handler(message);
      };
      await bus.work(TASK, worker, { concurrency: 4 });
      await Promise.all(numbers(200).map((body) => bus.enqueue(TASK, bytes(body))));
      await until('all are done', () => got.length >= 200);
      expect(most).to.be.within(2, 4);
      expect([...got].sort()).to.deep.equal(numbers(200).sort());
    },
  },
  {
    promise: 'B7',
    title: 'a task that a process had in hand when it went away is done by another',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      let begun = false;
      await other.work(TASK, () => {
        begun = true;
        return never();
      });
      await bus.enqueue(TASK, bytes('one'));
      await until('the first worker has it', () => begun);
      await other.close(0);
      const { got, handler } = recorder();
      await bus.work(TASK, handler);
      await until('the second worker has it', () => got.length > 0);
      expect(got).to.deep.equal(['one']);
    },
  },
];

const transients: BusCase[] = [
  {
    promise: 'B8',
    title: 'a listener that stands still keeps the newest; the others are counted; the sender never waits',
    run: async ({ bus, until }) => {
      const gate = createGate();
      const got: string[] = [];
      await bus.listen(
        [CAST],
        async ({ body }) => {
          got.push(text(body));
          await gate.opened;
        },
        { maxQueued: 10 },
      );
      bus.cast(CAST, bytes('first'));
      await until('the listener stands still', () => got.length === 1);
      const before = bus.stats().dropped;
      for (const body of numbers(500)) bus.cast(CAST, bytes(body));
      await until('the queue is full', () => bus.stats().dropped - before === 490);
      gate.open();
      await until('the newest has arrived', () => got.includes('499'));
      expect(got).to.deep.equal(['first', ...numbers(10, 490)]);
    },
  },
  {
    promise: 'B8',
    title: 'every listener gets what it listens to, in order, and a handler that fails goes on',
    run: async ({ bus, until }) => {
      const [one, two] = [recorder(), recorder()];
      await bus.listen([CAST], one.handler);
      const registration = await bus.listen([CAST, 'vote.other.v1'], (message) => {
        void two.handler(message);
        if (text(message.body) === '3') throw new Error('no');
      });
      for (const body of numbers(20)) bus.cast(CAST, bytes(body));
      bus.cast('vote.other.v1', bytes('other'));
      await until('all have arrived', () => one.got.length === 20 && two.got.length === 21);
      expect(one.got).to.deep.equal(numbers(20));
      expect(two.got).to.deep.equal([...numbers(20), 'other']);
      await registration.close();
      bus.cast(CAST, bytes('after'));
      await until('the first one has it', () => one.got.includes('after'));
      expect(two.got).to.have.length(21);
    },
  },
  {
    promise: 'B8',
    title: 'it reaches the listeners of every process; to nobody it is no error',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      bus.cast(CAST, bytes('nobody'));
      const { got, handler } = recorder();
      await other.listen([CAST], handler);
      bus.cast(CAST, bytes('somebody'));
      await until('it has arrived', () => got.includes('somebody'));
    },
  },
];

/** The tests of B5 to B8. */
export const messageCases: readonly BusCase[] = [...events, ...durable, ...tasks, ...transients];
