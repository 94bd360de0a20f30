import { expect } from 'chai';
import {
  Chain,
  Consensus,
  TxPool,
  definePlugin,
  failure,
  majorityOf,
  type PeerMessage,
  type Plugin,
  type PluginContext,
  type Storage,
  type Transport,
} from '@it-chain/contracts';
import { testConsensus, type ConsensusUnderTest } from '@it-chain/testkit';
import qbft from '@it-chain/plugin-consensus';
import raft from '@it-chain/plugin-raft';
import { altered } from './altered.js';
import { failuresOf } from './failures-of.js';

const right = qbft as unknown as Plugin;
const over = (plugin: Plugin, options: ConsensusUnderTest) => () => {
  testConsensus(plugin, { schedules: 1, patienceMs: 20_000, ...options });
};

/** Makes a block of whatever waits, asks nobody, and counts its own signature four times. */
const careless = (emptyEveryMs = 0): Plugin =>
  definePlugin({
    name: 'careless',
    version: '1.0.0',
    provides: [Consensus],
    requires: [Chain, TxPool],
    setup(context) {
      const [chain, pool] = [context.use(Chain), context.use(TxPool)];
      const decide = async (): Promise<void> => {
        const { height } = await chain.tip({});
        const { digest } = await chain.build({ height: height + 1 });
        const seals = [0, 1, 2, 3].map((validator) => ({ validator, signature: new Uint8Array(64) }));
        const certificate = { height: height + 1, round: 0, digest, seals };
        await chain.commit({ height: height + 1, digest, certificate, clearLogBelow: 0, sync: true });
      };
      serveStatus(context, chain);
      context.on(TxPool.events.accepted, async () => {
        if ((await pool.status({})).count > 0) await decide();
      });
      let cancel = (): void => undefined;
      return {
        start: async () => {
          if (emptyEveryMs > 0) cancel = context.clock.every(emptyEveryMs, () => void decide());
          if ((await pool.status({})).count > 0) await decide();
        },
        stop: () => {
          cancel();
        },
      };
    },
  }) as unknown as Plugin;

function serveStatus(context: PluginContext, chain: Chain): void {
  context.serve(Consensus, {
    evidence: () => Promise.resolve({ entries: [] }),
    status: async () => {
      const { height, validators } = await chain.tip({});
      const leader = validators.validators[0]?.publicKey ?? new Uint8Array(0);
      return { height: height + 1, round: 0, leader, quorum: 1, validator: true, views: [], waiting: '' };
    },
  });
}

const forgetful = altered(right, {
  uses: {
    storage: (store: Storage) => ({
      write: (request: Parameters<Storage['write']>[0]) =>
        store.write({ ...request, writes: request.writes.filter(({ namespace }) => namespace !== 'wal') }),
    }),
  },
});
const mute = altered(right, {
  uses: { transport: (): Partial<Transport> => ({ deliver: () => Promise.resolve({ peers: 0 }) }) },
});
const noAnswer = (): Promise<never> => Promise.reject(failure('ERR_PEER_TIMEOUT', 'nobody answers'));
const lonely = altered(right, {
  uses: {
    chain: (): Partial<Chain> => ({ fetch: noAnswer, get: noAnswer, range: noAnswer }),
  },
});

const believing = altered(right, {
  context: () => ({ verify: (checks) => Promise.resolve(checks.map(() => true)) }),
});
const blind = altered(right, {
  uses: {
    chain: (chain: Chain): Partial<Chain> => ({
      check: async (request) => ({ ...(await chain.check(request)), valid: true, reason: '' }),
    }),
  },
});

/** Hears nothing any more after the first message that is too short to be one. */
function touchy(): Plugin {
  let deaf = false;
  const hears = (message: PeerMessage): PeerMessage => {
    deaf ||= message.body.length < 16;
    return deaf ? { ...message, kind: 'not heard' } : message;
  };
  return altered(right, { hears: { 'message.received': hears as (body: never) => unknown } });
}

describe('the consensus suite', function () {
  this.timeout(120_000);
  for (const [what, plugin, promise, nodes] of [
    ['lets every node decide for itself', careless(), 'Q1', 4],
    ['tells nobody of its votes', mute, 'Q2', 4],
    ['forgets what it signed', forgetful, 'Q3', 4],
    ['never catches up', lonely, 'Q4', 4],
    ['makes empty blocks for ever', careless(10_000), 'Q5', 1],
  ] as const) {
    it(`finds an engine that ${what}`, async () => {
      const { failed } = await failuresOf(over(plugin, { nodes: [nodes] }));
      expect(
        failed.some((title) => title.startsWith(`${promise}:`)),
        failed.join('; '),
      ).to.equal(true);
    });
  }

  for (const [what, plugin, title, options] of [
    [
      'trusts its leader, as Raft does',
      raft as unknown as Plugin,
      'one for each half',
      { nodes: [5], quorum: majorityOf },
    ],
    ['falls silent at garbage', touchy(), 'drop, repeat and spoil', { nodes: [4] }],
    ['believes every signature', believing, 'sealed other blocks with its own key', { nodes: [4] }],
    ['asks nobody whether a block is valid', blind, 'whose blocks break the rules', { nodes: [4] }],
  ] as const) {
    it(`finds an engine among liars that ${what}`, async () => {
      const { failed } = await failuresOf(over(plugin, { ...options, byzantine: true }), title);
      expect(failed).to.have.length(1);
    });
  }
});
