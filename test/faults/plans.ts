import { join } from 'node:path';
import { root } from '../support/node-process.js';
import type { ArenaPlan } from './scenario.js';

/** A margin above the 50 that must be acknowledged for a run to count. */
const RATE = 60;
/** First round timeout as it ships, not the short one of other tests: these networks are under load, and machines too. */
const ROUND = { baseTimeoutMs: 2_000 };
const rounds = { node: () => ({ sections: { consensus: ROUND } }) };

/** Four nodes, embedded bus. */
export const four: ArenaPlan = {
  name: 'four nodes',
  options: (rest) => ({ ...rest, ...rounds, nodes: 4, rate: RATE, spare: 1 }),
};

/** Seven nodes, of which two may fail. */
export const seven: ArenaPlan = {
  name: 'seven nodes',
  options: (rest) => ({ ...rest, ...rounds, nodes: 7, rate: RATE }),
};

/** Four nodes that share one RabbitMQ. */
export const fourOnBroker: ArenaPlan = {
  name: 'four nodes on RabbitMQ',
  broker: true,
  options: (rest) => ({ ...rest, ...rounds, nodes: 4, rate: RATE }),
};

/** Four nodes whose packets between one another take `delayMs` each way, and are lost. */
export function farApart(delayMs: number, jitterMs: number, loss: number): ArenaPlan {
  return {
    name: `four nodes, ${delayMs} ms apart, ${loss * 100} % lost`,
    needs: ['relay'],
    // A packet passes two relays, one at each end.
    options: (rest) => ({
      ...rest,
      ...rounds,
      nodes: 4,
      rate: RATE,
      quality: { delayMs: delayMs / 2, jitterMs: jitterMs / 2, loss: 1 - Math.sqrt(1 - loss) },
    }),
  };
}

/**
 * Four nodes, one of them a liar. The lead moves on with each block, so that the liar gets it again and again, and bans
 * are short, so that it comes back.
 */
export const fourWithLiar: ArenaPlan = {
  name: 'four nodes, one of them evil',
  options: (rest) => ({
    ...rest,
    nodes: 4,
    rate: RATE,
    evil: 1,
    genesis: { leaderTerm: 1 },
    node: (host) => {
      const consensus = { ...ROUND, promotion: { healthyMs: 200 }, limits: { banMs: 3_000 } };
      const p2p = { maxPauseMs: 2_000, refusedPauseMs: 2_000 };
      if (host < 4) return { sections: { consensus, p2p } };
      const plugin = join(root, 'test', 'dist', 'evil-node', 'evil-consensus.js');
      // Instead of, not beside, the section of the honest plugin.
      return { consensus: plugin, consensusConfig: { honest: consensus }, sections: { p2p } };
    },
  }),
};
