import { expect } from 'chai';
import { failure, type IncomingRequest } from '@it-chain/contracts';
import {
  ask,
  bytes,
  codeOf,
  createGate,
  LONG_MS,
  need,
  never,
  serveText,
  text,
  turns,
  type BusCase,
} from './bus-harness.js';

const ROLE = 'pool.v1';
const CALL = 'thing.submit.v1';
const OTHER = 'thing.get.v1';

const answers: BusCase[] = [
  {
    promise: 'B1',
    title: 'bodies of any size cross unchanged, both ways',
    run: async ({ bus }) => {
      await bus.serve(ROLE, [CALL], ({ body }) => Promise.resolve(Buffer.from(body).reverse()));
      for (const size of [0, 1, 300, 65_536, 131_072, 4 * 1024 * 1024]) {
        const body = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 0xff);
        const answer = await bus.request(ROLE, CALL, body, { timeoutMs: LONG_MS });
        expect(Buffer.from(answer).equals(Buffer.from(body).reverse()), `${size} bytes`).to.equal(true);
      }
    },
  },
  {
    promise: 'B1',
    title: 'an error comes back with its code, message, hint, facts and whether to try again',
    run: async ({ bus }) => {
      await bus.serve(ROLE, [CALL], () =>
        Promise.reject(failure('ERR_STORAGE_CONDITION', 'no', { hint: 'look', retryable: true, data: { at: 7 } })),
      );
      let caught: unknown;
      try {
        await bus.request(ROLE, CALL, bytes(''), { timeoutMs: LONG_MS });
      } catch (error) {
        caught = error;
      }
      expect(caught).to.include({ code: 'ERR_STORAGE_CONDITION', message: 'no', hint: 'look', retryable: true });
      expect((caught as { data?: unknown }).data).to.deep.equal({ at: 7 });
    },
  },
  {
    promise: 'B1',
    title: 'an error that is not of the framework comes back as ERR_INTERNAL without its text',
    run: async ({ bus }) => {
      await bus.serve(ROLE, [CALL, OTHER], ({ address }) => {
        if (address === OTHER) throw new Error('secret'); // On the spot, not as a rejection.
        return Promise.reject(new Error('secret'));
      });
      for (const address of [CALL, OTHER]) {
        let caught: unknown;
        try {
          await bus.request(ROLE, address, bytes(''), { timeoutMs: LONG_MS });
        } catch (error) {
          caught = error;
        }
        expect(caught).to.have.property('code', 'ERR_INTERNAL');
        expect((caught as Error).message).to.not.contain('secret');
      }
    },
  },
  {
    promise: 'B1',
    title: 'a thousand requests at once each get their own answer, in whatever order they come',
    run: async ({ bus }) => {
      const gate = createGate();
      let waiting = 0;
      await serveText(bus, ROLE, [CALL], async (request) => {
        waiting += 1;
        if (waiting === 500) gate.open();
        if (Number(request) % 2 === 0) await gate.opened;
        return `answer ${request}`;
      });
      const all = Array.from({ length: 1_000 }, (_, index) => ask(bus, ROLE, CALL, String(index)));
      expect(await Promise.all(all)).to.deep.equal(all.map((_, index) => `answer ${index}`));
      expect(bus.stats().pending).to.equal(0);
    },
  },
  {
    promise: 'B1',
    title: 'the facts of a request reach the handler, with what is left of its deadline',
    run: async ({ bus }) => {
      let seen: IncomingRequest | undefined;
      await bus.serve(ROLE, [CALL], (request) => {
        seen = request;
        return Promise.resolve(bytes(''));
      });
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await bus.request(ROLE, CALL, bytes('x'), { timeoutMs: 60_000, messageId: 'm-1', sender: 'api', traceparent });
      expect(seen).to.include({ address: CALL, messageId: 'm-1', sender: 'api', traceparent });
      expect(seen?.timeoutMs).to.be.within(1, 60_000);
      const first = seen?.messageId;
      await bus.request(ROLE, CALL, bytes('x'), { timeoutMs: 60_000 });
      expect(seen?.messageId, 'an id is made where none is given').to.be.a('string').that.is.not.oneOf(['', first]);
    },
  },
  {
    promise: 'B1',
    title: 'nothing is delivered within the call of the sender, and what was sent cannot be changed afterwards',
    run: async ({ bus }) => {
      const seen: string[] = [];
      await bus.serve(ROLE, [CALL], ({ body }) => {
        seen.push(text(body));
        return Promise.resolve(body);
      });
      const body = bytes('before');
      const answer = bus.request(ROLE, CALL, body, { timeoutMs: LONG_MS });
      expect(seen).to.deep.equal([]);
      body.fill(0);
      expect(text(await answer)).to.equal('before');
      expect(seen).to.deep.equal(['before']);
    },
  },
  {
    promise: 'B1',
    title: 'roles and calls are not mixed up, and a handler may ask others while it works',
    run: async ({ bus }) => {
      await serveText(bus, 'store.v1', ['store.read.v1'], (request) => `stored ${request}`);
      await serveText(bus, ROLE, [CALL, OTHER], async (request, address) =>
        address === CALL ? `submitted ${request}` : ask(bus, 'store.v1', 'store.read.v1', request),
      );
      expect(await ask(bus, ROLE, CALL, 'a')).to.equal('submitted a');
      expect(await ask(bus, ROLE, OTHER, 'b')).to.equal('stored b');
    },
  },
  {
    promise: 'B1',
    title: 'it works between two processes, both ways',
    needs: ['second'],
    run: async ({ bus, second }) => {
      const other = await need(second)();
      await serveText(bus, ROLE, [CALL], (request) => `one ${request}`);
      await serveText(other, 'store.v1', ['store.read.v1'], (request) => `two ${request}`);
      expect(await ask(other, ROLE, CALL, 'a')).to.equal('one a');
      expect(await ask(bus, 'store.v1', 'store.read.v1', 'b')).to.equal('two b');
    },
  },
];

const noProvider: BusCase[] = [
  {
    promise: 'B2',
    title: 'a role that was never served, a call that the role does not have, and a role that has left',
    run: async ({ bus }) => {
      const request = (address: string): Promise<unknown> =>
        bus.request(ROLE, address, bytes(''), { timeoutMs: LONG_MS });
      expect(await codeOf(request(CALL))).to.equal('ERR_BUS_NO_PROVIDER');
      const served = await serveText(bus, ROLE, [CALL], () => 'here');
      expect(await codeOf(request(OTHER))).to.equal('ERR_BUS_NO_PROVIDER');
      expect(await ask(bus, ROLE, CALL, '')).to.equal('here');
      await served.close();
      await served.close();
      expect(await codeOf(request(CALL))).to.equal('ERR_BUS_NO_PROVIDER');
    },
  },
  {
    promise: 'B2',
    title: 'waitForRole resolves when the role is served and fails when it stays away',
    run: async ({ bus }) => {
      expect(await codeOf(bus.waitForRole(ROLE, 20))).to.equal('ERR_BUS_NO_PROVIDER');
      const waiting = bus.waitForRole(ROLE, LONG_MS);
      await serveText(bus, ROLE, [CALL], () => 'here');
      await waiting;
      await bus.waitForRole(ROLE, LONG_MS);
      expect(await ask(bus, ROLE, CALL, '')).to.equal('here');
    },
  },
];

const lost: BusCase[] = [
  {
    promise: 'B3',
    title: 'a provider that takes its registration back while it has the request',
    run: async ({ bus, until }) => {
      let begun = false;
      const served = await bus.serve(ROLE, [CALL], () => {
        begun = true;
        return never();
      });
      const outcome = codeOf(bus.request(ROLE, CALL, bytes(''), { timeoutMs: LONG_MS }));
      await until('the handler begins', () => begun);
      await served.close();
      expect(await outcome).to.equal('ERR_BUS_PROVIDER_LOST');
    },
  },
  {
    promise: 'B3',
    title: 'a process that goes away while it has the request; a new provider answers new requests only',
    needs: ['second'],
    run: async ({ bus, second, until }) => {
      const other = await need(second)();
      let begun = 0;
      await other.serve(ROLE, [CALL], () => {
        begun += 1;
        return never();
      });
      const outcomes = Array.from({ length: 20 }, () =>
        codeOf(bus.request(ROLE, CALL, bytes('old'), { timeoutMs: LONG_MS })),
      );
      await until('the handler has them', () => begun === 20);
      await other.close(0);
      const seen: string[] = [];
      await serveText(bus, ROLE, [CALL], (request) => {
        seen.push(request);
        return 'new';
      });
      expect(await Promise.all(outcomes)).to.deep.equal(outcomes.map(() => 'ERR_BUS_PROVIDER_LOST'));
      expect(await ask(bus, ROLE, CALL, 'new')).to.equal('new');
      expect(seen).to.deep.equal(['new']);
    },
  },
  {
    promise: 'B3',
    title: 'past its deadline a request fails with ERR_BUS_TIMEOUT, and a late answer changes nothing',
    run: async ({ bus }) => {
      const gate = createGate();
      await serveText(bus, ROLE, [CALL], async (request) => {
        if (request === 'slow') await gate.opened;
        return request;
      });
      const slow = codeOf(bus.request(ROLE, CALL, bytes('slow'), { timeoutMs: 30 }));
      expect(await slow).to.equal('ERR_BUS_TIMEOUT');
      expect(bus.stats().pending).to.equal(0);
      gate.open();
      expect(await ask(bus, ROLE, CALL, 'next')).to.equal('next');
    },
  },
  {
    promise: 'B3',
    title: 'a caller that gives up gets ERR_BUS_ABORTED at once, before or after sending',
    run: async ({ bus, until }) => {
      const seen: string[] = [];
      await bus.serve(ROLE, [CALL], ({ body }) => {
        seen.push(text(body));
        return text(body) === 'ping' ? Promise.resolve(body) : never();
      });
      const options = { timeoutMs: LONG_MS, signal: AbortSignal.abort() };
      expect(await codeOf(bus.request(ROLE, CALL, bytes('too late'), options))).to.equal('ERR_BUS_ABORTED');
      const abort = new AbortController();
      const signal = abort.signal;
      const outcome = codeOf(bus.request(ROLE, CALL, bytes('given up'), { timeoutMs: LONG_MS, signal }));
      await until('the handler has it', () => seen.includes('given up'));
      abort.abort();
      expect(await outcome).to.equal('ERR_BUS_ABORTED');
      await ask(bus, ROLE, CALL, 'ping');
      expect(seen).to.deep.equal(['given up', 'ping']);
      expect(bus.stats().pending).to.equal(0);
    },
  },
  {
    promise: 'B3',
    title: 'a message that is too large is refused on its way there and back, and the bus goes on',
    run: async ({ bus, maxMessageBytes }) => {
      const large = new Uint8Array(maxMessageBytes + 1);
      await bus.serve(ROLE, [CALL], ({ body }) => Promise.resolve(body.length === 0 ? large : body));
      const request = (body: Uint8Array): Promise<string> =>
        codeOf(bus.request(ROLE, CALL, body, { timeoutMs: LONG_MS }));
      expect(await request(large)).to.equal('ERR_BUS_MESSAGE_TOO_LARGE');
      expect(await request(new Uint8Array(0))).to.equal('ERR_BUS_MESSAGE_TOO_LARGE');
      expect(await codeOf(bus.publish('thing.told.v1', large))).to.equal('ERR_BUS_MESSAGE_TOO_LARGE');
      expect(await codeOf(bus.enqueue('thing.todo.v1', large))).to.equal('ERR_BUS_MESSAGE_TOO_LARGE');
      bus.cast('thing.cast.v1', large);
      expect(await ask(bus, ROLE, CALL, 'still there')).to.equal('still there');
    },
  },
];

const taken: BusCase[] = [
  {
    promise: 'B4',
    title: 'on the same bus; the first one goes on, and the role is free when it has left',
    run: async ({ bus }) => {
      const first = await serveText(bus, ROLE, [CALL], () => 'first');
      expect(await codeOf(serveText(bus, ROLE, [CALL], () => 'second'))).to.equal('ERR_ROLE_TAKEN');
      expect(await ask(bus, ROLE, CALL, '')).to.equal('first');
      await first.close();
      await serveText(bus, ROLE, [CALL], () => 'second');
      expect(await ask(bus, ROLE, CALL, '')).to.equal('second');
    },
  },
  {
    promise: 'B4',
    title: 'from another process; its bus goes on',
    needs: ['second'],
    run: async ({ bus, second }) => {
      const other = await need(second)();
      await serveText(bus, ROLE, [CALL], () => 'first');
      await serveText(other, 'store.v1', ['store.read.v1'], () => 'store');
      expect(await codeOf(serveText(other, ROLE, [CALL], () => 'second'))).to.equal('ERR_ROLE_TAKEN');
      expect(await ask(other, ROLE, CALL, '')).to.equal('first');
      expect(await ask(bus, 'store.v1', 'store.read.v1', '')).to.equal('store');
      await turns();
    },
  },
];

/** The tests of B1 to B4. */
export const requestCases: readonly BusCase[] = [...answers, ...noProvider, ...lost, ...taken];
