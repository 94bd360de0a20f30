import { expect } from 'chai';
import { MemoryBroker, MemoryBus } from '@it-chain/kernel';
import type { Bus, IncomingMessage, IncomingRequest, RequestOptions } from '@it-chain/contracts';
import { busCases, runBusCase, testBus, type BusSupport, type BusUnderTest } from '@it-chain/testkit';

const supports: BusSupport = { second: true, otherNamespace: true, deadLetters: true };

function underTest(make: (broker: MemoryBroker) => Bus): () => Promise<BusUnderTest> {
  return () => {
    const broker = new MemoryBroker({ retryDelayMs: 1 });
    const opened: Bus[] = [];
    const open = (on: MemoryBroker): Bus => {
      const bus = make(on);
      opened.push(bus);
      return bus;
    };
    return Promise.resolve({
      bus: open(broker),
      second: () => Promise.resolve(open(broker)),
      otherNamespace: () => Promise.resolve(open(new MemoryBroker({ retryDelayMs: 1 }))),
      deadLetters: () => Promise.resolve(broker.deadLetters),
      teardown: async () => {
        await Promise.all(opened.map((bus) => bus.close(0)));
      },
    });
  };
}

/** Every bus that was made, also beneath a broken one: what it leaves open would keep the process alive. */
const made: MemoryBus[] = [];

function create(broker: MemoryBroker): MemoryBus {
  const bus = new MemoryBus({ broker, drainMs: 50 });
  made.push(bus);
  return bus;
}

after(() => Promise.all(made.map((bus) => bus.close(0))));

describe('MemoryBus', () => {
  testBus(underTest(create), supports);

  it('lets a schedule order, delay, duplicate and drop deliveries', async () => {
    const held: { kind: string; run: () => void }[] = [];
    const bus = new MemoryBus({ schedule: (delivery) => held.push(delivery) });
    const got: string[] = [];
    await bus.listen(['vote.cast.v1'], ({ body }) => {
      got.push(Buffer.from(body).toString());
    });
    for (const body of ['a', 'b', 'c']) bus.cast('vote.cast.v1', Buffer.from(body));
    const [a, b, c] = held;
    expect(held.map(({ kind }) => kind)).to.deep.equal(['transient', 'transient', 'transient']);
    c?.run();
    a?.run();
    a?.run();
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).to.deep.equal(['c', 'a', 'a']);
    expect(b).to.not.equal(undefined);
    await bus.close();
  });

  it('gives each receiver bytes of its own', async () => {
    const bus = new MemoryBus();
    const got: Uint8Array[] = [];
    for (let index = 0; index < 2; index += 1) {
      await bus.subscribe(['thing.happened.v1'], (message) => {
        got.push(message.body);
        return Promise.resolve();
      });
    }
    await bus.publish('thing.happened.v1', Uint8Array.of(1, 2));
    while (got.length < 2) await new Promise((resolve) => setImmediate(resolve));
    got[0]?.fill(9);
    expect([...(got[1] ?? [])]).to.deep.equal([1, 2]);
    await bus.close();
  });
});

/** Buses that break a promise each; the suite must notice. */
const broken: Record<string, { readonly promise: string; readonly make: (broker: MemoryBroker) => Bus }> = {
  'loses the code of an error': {
    promise: 'B1',
    make: (broker) =>
      wrap(broker, {
        request: (bus) => (role, address, body, options) =>
          bus.request(role, address, body, options).catch(() => Promise.reject(new Error('failed'))),
      }),
  },
  'delivers within the call of the sender': {
    promise: 'B1',
    make: (broker) => {
      const handlers = new Map<string, (request: IncomingRequest) => Promise<Uint8Array>>();
      return wrap(broker, {
        serve: (bus) => (role, addresses, handler) => {
          for (const address of addresses) handlers.set(address, handler);
          return bus.serve(role, addresses, handler);
        },
        request: (bus) => (role, address, body, options) =>
          handlers.get(address)?.({ messageId: 'm', address, body, timeoutMs: options.timeoutMs }) ??
          bus.request(role, address, body, options),
      });
    },
  },
  'waits for the deadline where nobody serves': {
    promise: 'B2',
    make: (broker) =>
      wrap(broker, {
        request: (bus) => async (role, address, body, options) => {
          await bus.waitForRole(role, 50);
          return bus.request(role, address, body, options);
        },
        waitForRole: () => () => Promise.resolve(),
      }),
  },
  'forgets the caller that gave up': {
    promise: 'B3',
    make: (broker) =>
      wrap(broker, {
        request: (bus) => (role, address, body, options: RequestOptions) =>
          bus.request(role, address, body, {
            ...options,
            signal: undefined,
            timeoutMs: Math.min(options.timeoutMs, 200),
          }),
      }),
  },
  'lets a second provider take the role over': {
    promise: 'B4',
    make: (broker) =>
      wrap(broker, {
        serve: (bus) => (role, addresses, handler) => {
          broker.roles.delete(role);
          return bus.serve(role, addresses, handler);
        },
      }),
  },
  'delivers events in any order': {
    promise: 'B5',
    make: (broker) =>
      wrap(broker, {
        publish: (bus) => async (address, body, meta) => {
          const copy = Uint8Array.from(body);
          if ((copy.at(-1) ?? 0) % 2 === 1) await new Promise((resolve) => setImmediate(resolve));
          return bus.publish(address, copy, meta);
        },
      }),
  },
  'forgets durable names': {
    promise: 'B6',
    make: (broker) => wrap(broker, { subscribe: (bus) => (addresses, handler) => bus.subscribe(addresses, handler) }),
  },
  'takes a task for done before its handler has succeeded': {
    promise: 'B7',
    make: (broker) =>
      wrap(broker, {
        work: (bus) => (address, handler, options) =>
          bus.work(address, (message: IncomingMessage) => handler(message).catch(() => undefined), options),
      }),
  },
  'keeps every transient message': {
    promise: 'B8',
    make: (broker) =>
      wrap(broker, {
        listen: (bus) => (addresses, handler) => bus.listen(addresses, handler, { maxQueued: 1_000_000 }),
      }),
  },
  'has one namespace for all': {
    promise: 'B9',
    make: () => create(shared),
  },
  'leaves its calls hanging when it is closed': {
    promise: 'B10',
    make: (broker) => wrap(broker, { close: () => () => Promise.resolve() }),
  },
};
const shared = new MemoryBroker({ retryDelayMs: 1 });

type Patch = { readonly [M in keyof Bus]?: (bus: Bus) => Bus[M] };

/** A bus with some of its methods replaced. */
function wrap(broker: MemoryBroker, patch: Patch): Bus {
  const bus = create(broker);
  return new Proxy<Bus>(bus, {
    get: (_target, method: keyof Bus) => {
      const replace = patch[method] as ((bus: Bus) => unknown) | undefined;
      if (replace !== undefined) return replace(bus);
      const found: unknown = Reflect.get(bus, method);
      return typeof found === 'function' ? (found.bind(bus) as unknown) : found;
    },
  });
}

describe('testBus', () => {
  for (const [what, { promise, make }] of Object.entries(broken)) {
    it(`rejects a bus that ${what} (${promise})`, async function () {
      this.timeout(120_000);
      const failed: string[] = [];
      for (const test of busCases) {
        const fits = (test.needs ?? []).every((part) => supports[part] === true);
        if (test.promise !== promise || !fits) continue;
        // What a broken bus never does is waited for only shortly.
        const run = runBusCase(test, underTest(make), { ...supports, timeFactor: 0.1 });
        await Promise.race([run, new Promise((_, reject) => setTimeout(reject, 2_000, new Error('hangs')))]).catch(() =>
          failed.push(test.title),
        );
      }
      expect(failed).to.not.deep.equal([]);
    });
  }
});
