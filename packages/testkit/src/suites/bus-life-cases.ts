import { expect } from 'chai';
import {
  ask,
  bytes,
  codeOf,
  createGate,
  LONG_MS,
  need,
  never,
  recorder,
  serveText,
  turns,
  type BusCase,
} from './bus-harness.js';

const ROLE = 'pool.v1';
const CALL = 'thing.submit.v1';
const EVENT = 'thing.happened.v1';
const TASK = 'thing.todo.v1';
const CAST = 'vote.cast.v1';

const namespaces: BusCase[] = [
  {
    promise: 'B9',
    title: 'requests, events, durable names, tasks and transient messages stay on their side',
    needs: ['otherNamespace'],
    run: async ({ bus, otherNamespace, until }) => {
      const other = await need(otherNamespace)();
      await serveText(bus, ROLE, [CALL], () => 'ours');
      expect(await codeOf(ask(other, ROLE, CALL, ''))).to.equal('ERR_BUS_NO_PROVIDER');
      await serveText(other, ROLE, [CALL], () => 'theirs');
      expect(await ask(bus, ROLE, CALL, '')).to.equal('ours');
      expect(await ask(other, ROLE, CALL, '')).to.equal('theirs');

      const [ours, theirs] = [recorder(), recorder()];
      for (const [side, { handler }] of [
        [bus, ours],
        [other, theirs],
      ] as const) {
        await side.subscribe([EVENT], handler);
        await side.subscribe([EVENT], handler, { durable: 'ledger' });
        await side.work(TASK, handler);
        await side.listen([CAST], handler);
      }
      for (const [side, body] of [
        [bus, 'ours'],
        [other, 'theirs'],
      ] as const) {
        await side.publish(EVENT, bytes(body));
        await side.enqueue(TASK, bytes(body));
        side.cast(CAST, bytes(body));
      }
      await until('all have arrived', () => ours.got.length >= 4 && theirs.got.length >= 4);
      await turns();
      expect(ours.got).to.deep.equal(Array.from({ length: 4 }, () => 'ours'));
      expect(theirs.got).to.deep.equal(Array.from({ length: 4 }, () => 'theirs'));
    },
  },
];

const closing: BusCase[] = [
  {
    promise: 'B10',
    title: 'calls under way and new ones fail with ERR_BUS_CLOSED; closing twice is no error',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      let begun = false;
      await other.serve(ROLE, [CALL], () => {
        begun = true;
        return never();
      });
      const pending = codeOf(bus.request(ROLE, CALL, bytes(''), { timeoutMs: LONG_MS }));
      const waiting = codeOf(bus.waitForRole('nobody.v1', LONG_MS));
      await until('the provider has it', () => begun);
      await Promise.all([bus.close(50), bus.close()]);
      expect(await pending).to.equal('ERR_BUS_CLOSED');
      expect(await waiting).to.equal('ERR_BUS_CLOSED');
      for (const late of [
        bus.request(ROLE, CALL, bytes(''), { timeoutMs: LONG_MS }),
        bus.publish(EVENT, bytes('')),
        bus.enqueue(TASK, bytes('')),
        bus.subscribe([EVENT], () => Promise.resolve()),
        bus.listen([CAST], () => undefined),
        bus.work(TASK, () => Promise.resolve()),
        bus.serve('other.v1', ['a.b.v1'], () => never()),
        bus.waitForRole(ROLE, LONG_MS),
      ]) {
        expect(await codeOf(late)).to.equal('ERR_BUS_CLOSED');
      }
      bus.cast(CAST, bytes('no error'));
      expect(bus.stats()).to.include({ state: 'closed', pending: 0 });
    },
  },
  {
    promise: 'B10',
    title: 'what is being handled is finished within the limit, and its answer goes out',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      const gate = createGate();
      let begun = 0;
      await serveText(other, ROLE, [CALL], async () => {
        begun += 1;
        await gate.opened;
        return 'finished';
      });
      const finished: string[] = [];
      await other.work(TASK, async () => {
        begun += 1;
        await gate.opened;
        finished.push('task');
      });
      await bus.enqueue(TASK, bytes('task'));
      const answer = ask(bus, ROLE, CALL, '');
      await until('both are in hand', () => begun === 2);
      const closed = other.close(LONG_MS);
      await turns();
      gate.open();
      expect(await answer).to.equal('finished');
      await closed;
      expect(finished).to.deep.equal(['task']);
      const { got, handler } = recorder();
      await bus.work(TASK, handler);
      await bus.enqueue(TASK, bytes('marker'));
      await until('the marker is done', () => got.includes('marker'));
      expect(got, 'a finished task does not come again').to.deep.equal(['marker']);
    },
  },
  {
    promise: 'B10',
    title: 'nothing is delivered after close',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      const [closed, open] = [recorder(), recorder()];
      await other.subscribe([EVENT], closed.handler);
      await other.listen([CAST], closed.handler);
      await other.work(TASK, closed.handler);
      await bus.subscribe([EVENT], open.handler);
      await bus.listen([CAST], open.handler);
      await other.close();
      await bus.publish(EVENT, bytes('event'));
      bus.cast(CAST, bytes('cast'));
      await bus.enqueue(TASK, bytes('task'));
      await until('the open one has them', () => open.got.length === 2);
      await turns();
      expect(closed.got).to.deep.equal([]);
    },
  },
];

const reconnecting: BusCase[] = [
  {
    promise: 'B11',
    title: 'roles, subscribers, workers and listeners are there again',
    needs: ['restartBroker', 'second'],
    run: async ({ bus, second, restartBroker, until }) => {
      const other = await need(second)();
      const [events, kept, done, cast] = [recorder(), recorder(), recorder(), recorder()];
      await serveText(other, ROLE, [CALL], (request) => `answer ${request}`);
      await other.subscribe([EVENT], events.handler);
      await other.subscribe([EVENT], kept.handler, { durable: 'ledger' });
      await other.work(TASK, done.handler);
      await other.listen([CAST], cast.handler);
      expect(await ask(bus, ROLE, CALL, '1')).to.equal('answer 1');
      await need(restartBroker)();
      await until('both are connected', () =>
        [bus, other].every((one) => one.stats().state === 'connected' && one.stats().reconnects > 0),
      );
      await bus.waitForRole(ROLE, LONG_MS);
      expect(await ask(bus, ROLE, CALL, '2')).to.equal('answer 2');
      await bus.publish(EVENT, bytes('event'));
      await bus.enqueue(TASK, bytes('task'));
      bus.cast(CAST, bytes('cast'));
      await until('all have arrived', () => [events, kept, done, cast].every(({ got }) => got.length === 1));
    },
  },
  {
    promise: 'B11',
    title: 'what was sent while the broker was away arrives; requests under way fail instead of hanging',
    needs: ['restartBroker'],
    run: async ({ bus, restartBroker, until }) => {
      const [events, done] = [recorder(), recorder()];
      let begun = false;
      await bus.serve(ROLE, [CALL], () => {
        begun = true;
        return never();
      });
      await bus.subscribe([EVENT], events.handler, { durable: 'ledger' });
      await bus.work(TASK, done.handler);
      const outcome = codeOf(bus.request(ROLE, CALL, bytes(''), { timeoutMs: LONG_MS }));
      await until('the provider has it', () => begun);
      const sent: Promise<void>[] = [];
      await need(restartBroker)(async () => {
        await until('the loss is noticed', () => bus.stats().state === 'reconnecting');
        for (let index = 0; index < 20; index += 1) {
          sent.push(bus.publish(EVENT, bytes(String(index))), bus.enqueue(TASK, bytes(String(index))));
        }
        bus.cast(CAST, bytes('nobody hears it, and nobody waits'));
      });
      expect(await outcome).to.be.oneOf(['ERR_BUS_CLOSED', 'ERR_BUS_PROVIDER_LOST']);
      await Promise.all(sent);
      await until('all have arrived', () => new Set(events.got).size === 20 && new Set(done.got).size === 20);
      expect(bus.stats()).to.include({ state: 'connected', unconfirmed: 0, pending: 0 });
    },
  },
  {
    promise: 'B11',
    title: 'a stream of messages across a restart: all that was sent after it arrives, in order',
    needs: ['restartBroker'],
    run: async ({ bus, restartBroker, until }) => {
      const { got, handler } = recorder();
      await bus.subscribe([EVENT], handler);
      const sent: Promise<void>[] = [];
      let next = 0;
      const send = (): void => {
        sent.push(bus.publish(EVENT, bytes(String(next++))));
      };
      for (let index = 0; index < 200; index += 1) send();
      await need(restartBroker)();
      for (let index = 0; index < 200; index += 1) send();
      await Promise.all(sent);
      const marker = String(next - 1);
      await until('the last has arrived', () => got.includes(marker));
      const after = got.map(Number).filter((number) => number >= 200);
      expect([...new Set(after)]).to.deep.equal(Array.from({ length: 200 }, (_, index) => 200 + index));
    },
  },
  {
    promise: 'B11',
    title: 'closing while the broker is away ends at once, and what could not be sent fails with ERR_BUS_CLOSED',
    needs: ['restartBroker'],
    run: async ({ bus, restartBroker, until }) => {
      let outcome: Promise<string> | undefined;
      await need(restartBroker)(async () => {
        await until('the loss is noticed', () => bus.stats().state === 'reconnecting');
        outcome = codeOf(bus.enqueue(TASK, bytes('lost')));
        await bus.close();
      });
      expect(await outcome).to.equal('ERR_BUS_CLOSED');
    },
  },
];

/** The tests of B9 to B11. */
export const lifeCases: readonly BusCase[] = [...namespaces, ...closing, ...reconnecting];
