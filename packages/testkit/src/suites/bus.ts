/// <reference types="mocha" />
import { createBench, type BusCase, type BusSupport, type BusUnderTest } from './bus-harness.js';
import { lifeCases } from './bus-life-cases.js';
import { messageCases } from './bus-message-cases.js';
import { requestCases } from './bus-request-cases.js';

export type { BusSupport, BusUnderTest } from './bus-harness.js';

/** What a bus promises, word for word as in contracts. */
const PROMISES: readonly (readonly [string, string])[] = [
  ['B1', 'a request reaches the one provider of its role and its answer, or its error with the code, comes back'],
  ['B2', 'a request whose role nobody serves fails at once with ERR_BUS_NO_PROVIDER'],
  ['B3', 'a request whose provider goes away fails with ERR_BUS_PROVIDER_LOST; past its deadline with ERR_BUS_TIMEOUT'],
  ['B4', 'a second provider of one role is refused with ERR_ROLE_TAKEN'],
  ['B5', 'an event reaches every subscriber that was there when it was published, in the order of one publisher'],
  ['B6', 'a durable subscriber also gets the events published while it was away, and again those it did not finish'],
  ['B7', 'a task is done at least once: a handler that fails gets it again, at most 5 times, then it is a dead letter'],
  ['B8', 'a transient queue that is full drops its oldest message and counts it; it never slows its sender'],
  ['B9', "two namespaces on one broker never see each other's messages"],
  ['B10', 'after close nothing is delivered and every call under way fails with ERR_BUS_CLOSED'],
  [
    'B11',
    "after a lost connection all registrations are there again without the users' doing, and what was not confirmed is sent again",
  ],
];

/** Every test of the suite, also for runners other than mocha. */
export const busCases: readonly BusCase[] = [...requestCases, ...messageCases, ...lifeCases];

/** Runs one test on a fresh bus. */
export async function runBusCase(
  test: BusCase,
  create: () => Promise<BusUnderTest>,
  supports: BusSupport = {},
): Promise<void> {
  const under = await create();
  try {
    await test.run(createBench(under, supports));
  } finally {
    await under.teardown();
  }
}

/**
 * The compliance suite of a bus: one `describe` for each promise B1 to B11. Call it in a mocha file. Tests that need
 * something the factory does not offer (`supports`) are left out; a promise without tests is left out too.
 */
export function testBus(create: () => Promise<BusUnderTest>, supports: BusSupport = {}): void {
  for (const [number, sentence] of PROMISES) {
    const tests = busCases.filter(
      ({ promise, needs = [] }) => promise === number && needs.every((part) => supports[part] === true),
    );
    if (tests.length === 0) continue;
    describe(`${number}: ${sentence}`, () => {
      for (const test of tests) {
        it(test.title, function () {
          this.timeout(20_000 * (supports.timeFactor ?? Number(process.env['TEST_TIME_FACTOR'] ?? 6)));
          return runBusCase(test, create, supports);
        });
      }
    });
  }
}
