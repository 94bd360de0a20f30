import { CoreNetwork } from './core-network.js';
import { broken, thrown, type InvariantViolation } from './invariants.js';
import type { ConsensusMachine } from './machine.js';

/** Identities of the processes: 0 has a twin. */
const IDENTITIES = [0, 0, 1, 2, 3];
const VALIDATORS = 4;
/** Ways to split five processes in two, and leaders: what may differ from round to round. */
const SPLITS = 2 ** (IDENTITIES.length - 1);
/** Cases of one round. */
export const TWINS_PER_ROUND = SPLITS * VALIDATORS;
/** How long a scenario round lasts: about as long as a height takes, so that it cuts heights in all their stages. */
const ROUND_MS = 250;
const DELAYS = { loss: 0, duplication: 0, minDelayMs: 30, maxDelayMs: 110, tail: 0 };
const BASE_TIMEOUT_MS = 2_000;
const MAX_TIMEOUT_MS = 8_000;

/** What one case came to. */
export interface TwinsReport {
  readonly index: number;
  readonly violation: InvariantViolation | undefined;
  readonly height: number;
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly messages: number;
}

/** One round of a case: who hears whom, and who leads. */
export interface TwinsRound {
  /** Processes on the one side; the others are on the other side. */
  readonly side: readonly number[];
  /** Identity that leads. */
  readonly leader: number;
}

/** The rounds of case `index` of `TWINS_PER_ROUND ** rounds`. */
export function twinsRounds(index: number, rounds: number): TwinsRound[] {
  const out: TwinsRound[] = [];
  for (let rest = index, round = 0; round < rounds; round += 1) {
    const choice = rest % TWINS_PER_ROUND;
    rest = Math.floor(rest / TWINS_PER_ROUND);
    const mask = choice % SPLITS;
    const side = IDENTITIES.map((_, process) => process).filter((process) => (mask >> process) & 1);
    out.push({ side, leader: Math.floor(choice / SPLITS) });
  }
  return out;
}

/**
 * One case of the Twins enumeration: four validators, one of them two processes with one key. Each round has its split and
 * its leader; then the network is whole, and the correct ones must decide. Safety is checked after every step.
 */
export function runTwins<State>(
  machine: ConsensusMachine<State>,
  index: number,
  rounds: number,
  trace?: (line: string) => void,
): TwinsReport {
  const network = new CoreNetwork(machine, {
    seed: index,
    identities: IDENTITIES,
    founders: VALIDATORS,
    machine: { baseTimeoutMs: BASE_TIMEOUT_MS, maxTimeoutMs: MAX_TIMEOUT_MS },
    trace,
  });
  let violation: InvariantViolation | undefined;
  try {
    play(network, twinsRounds(index, rounds));
  } catch (error) {
    violation = thrown(error, 'the simulation');
  }
  const height = Math.max(...network.correct.map(({ tip }) => tip.height));
  return {
    index,
    violation,
    height,
    traceHash: network.traceHash.value,
    simulatedMs: network.now,
    steps: network.queue.steps,
    messages: network.messages,
  };
}

function play<State>(network: CoreNetwork<State>, rounds: readonly TwinsRound[]): void {
  network.links.faults = DELAYS;
  network.startAll();
  // Each side has a transaction of its own, so that twins that lead propose different blocks.
  network.nodes.forEach(({ index }) => {
    network.invariants.onSubmitted(`tx-${index}`);
  });
  let from = 0;
  rounds.forEach(({ side, leader }, round) => {
    const rest = network.nodes.map(({ index }) => index).filter((index) => !side.includes(index));
    network.partition(side, rest);
    network.say(`round ${round}: ${side.join()} | ${rest.join()}, led by ${leader}`);
    // leader(1, r) = r mod 4: the next round that this identity leads.
    while (from % VALIDATORS !== leader) from += 1;
    for (const node of network.nodes) lift(network, node.index, from);
    if (round === 0) for (const node of network.nodes) node.pool.set(`tx-${node.index}`, network.now);
    for (const node of network.nodes) network.input(node, { type: 'work', pooled: true, leaderDown: false });
    network.run(ROUND_MS);
    from += 1;
  });
  network.heal();
  const { correct } = network;
  const goal = Math.max(...correct.map(({ tip }) => tip.height)) + 1;
  network.submit('last');
  const isLive = (): boolean => correct.every(({ tip, pool }) => tip.height >= goal && pool.size === 0);
  network.run(10 * MAX_TIMEOUT_MS, isLive);
  if (!isLive()) broken('liveness', `no block above ${goal - 1} in peace`);
}

/** Moves a process up to a round at the first height, as timeouts would. */
function lift<State>(network: CoreNetwork<State>, index: number, round: number): void {
  const node = network.node(index);
  for (let guard = 0; guard < 32 && node.tip.height === 0; guard += 1) {
    const view = network.machine.view(node.state);
    if (view.round >= round) return;
    network.input(node, { type: 'complain', height: 1 });
  }
}
