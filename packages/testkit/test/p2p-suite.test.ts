import { expect } from 'chai';
import {
  Transport,
  type Hello,
  type Infer,
  type P2p,
  type Plugin,
  type RoundChanged,
  type Session,
  type Storage,
  type Transport as TransportServed,
} from '@it-chain/contracts';
import { testP2p, type P2pUnderTest } from '@it-chain/testkit';
import p2p from '@it-chain/plugin-p2p';
import { altered, type Alterations } from './altered.js';
import { failuresOf } from './failures-of.js';

const right = p2p as unknown as Plugin;
const over =
  (plugin: Plugin, options: P2pUnderTest = {}) =>
  () => {
    testP2p(plugin, options);
  };

/** Finds no row of the peer table that a life before has left. */
const forgetful = (store: Storage): object => ({
  range: (request: Parameters<Storage['range']>[0]) =>
    request.namespace === 'p2p' ? Promise.resolve({ entries: [], more: false }) : store.range(request),
});

const turned = (session: Session): Session => ({
  ...session,
  direction: session.direction === 'inbound' ? 'outbound' : 'inbound',
});
/** Takes the dialler for the one that was dialled. */
const mistaken: Alterations = {
  uses: {
    transport: (transport: TransportServed): object => ({
      dial: async (request: Parameters<TransportServed['dial']>[0]) => turned(await transport.dial(request)),
      sessions: async () => ({ sessions: (await transport.sessions({})).sessions.map(turned) }),
    }),
  },
  hears: { [Transport.events.connected.name]: turned as (body: never) => unknown },
};

const blank = (hello: Hello): Hello => ({
  ...hello,
  network: undefined,
  genesis: new Uint8Array(0),
  candidate: new Uint8Array(0),
});
/** Sees of nobody which network it belongs to. */
const blind: Alterations = {
  uses: {
    transport: (transport: TransportServed): object => ({
      dial: async (request: Parameters<TransportServed['dial']>[0]) => {
        const session = await transport.dial(request);
        return { ...session, hello: blank(session.hello) };
      },
      sessions: async () => {
        const { sessions } = await transport.sessions({});
        return { sessions: sessions.map((session) => ({ ...session, hello: blank(session.hello) })) };
      },
    }),
  },
  deafTo: [Transport.events.received.name],
  hears: {
    [Transport.events.connected.name]: ((session: Session) => ({
      ...session,
      hello: blank(session.hello),
    })) as (body: never) => unknown,
  },
};

/** Changes its network whatever the store holds. */
const unconditional = (store: Storage): object => ({
  write: (request: Parameters<Storage['write']>[0]) => store.write({ ...request, when: [] }),
});
const unheard: Alterations = { uses: { storage: unconditional } };

const newest = (): ((round: Infer<typeof RoundChanged>) => Infer<typeof RoundChanged>) => {
  let height = 0;
  return (round) => ({ ...round, height: (height += 1) });
};

const WRONG: readonly (readonly [string, Alterations, string, P2pUnderTest?])[] = [
  ['dials again and again without a longer pause', {}, 'P1', { config: ({ dial }) => ({ dial, maxPauseMs: 1_000 }) }],
  ['forgets its table', { uses: { storage: forgetful } }, 'P1'],
  [
    'takes every record for signed',
    { context: () => ({ verify: (checks) => Promise.resolve(checks.map(() => true)) }) },
    'P2',
  ],
  ['founds where it dialled', mistaken, 'P3'],
  ['does not see the network of others', blind, 'P4'],
  ['changes its network although there are blocks', unheard, 'P5'],
  [
    'keeps the session to another network',
    { uses: { transport: () => ({ disconnect: () => Promise.resolve({}) }) } },
    'P5',
  ],
  ['takes old news of the leader', { hears: { 'consensus.round': newest() as (body: never) => unknown } }, 'P6'],
  [
    'says that it leads itself',
    {
      serves: (own: P2p) => ({
        leader: async () => ({ ...(await own.leader({})), publicKey: undefined, nodeId: 'me' }),
      }),
    },
    'P6',
  ],
];

describe('the p2p suite', function () {
  this.timeout(120_000);
  for (const [what, alterations, promise, options] of WRONG) {
    it(`finds a plugin that ${what}`, async () => {
      expect((await failuresOf(over(altered(right, alterations), options), `${promise}:`)).failed).to.have.length(1);
    });
  }

  it('finds nothing in a plugin that is right', async () => {
    expect((await failuresOf(over(altered(right, {})))).failed).to.deep.equal([]);
  });
});
