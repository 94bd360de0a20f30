import { expect } from 'chai';
import {
  Chain,
  chainKeys,
  sameBytes,
  type Chain as ChainServed,
  type ChainTip,
  type Plugin,
  type Storage,
} from '@it-chain/contracts';
import { testChain } from '@it-chain/testkit';
import chain from '@it-chain/plugin-chain';
import { altered, type Alterations } from './altered.js';
import { failuresOf } from './failures-of.js';

const right = chain as unknown as Plugin;
const over = (plugin: Plugin) => () => {
  const snapshots = { snapshots: { everyBlocks: 3 }, peerRequestsPerSecond: 10_000 };
  testChain(plugin, { schedules: 20, snapshots });
};

type WriteRequest = Parameters<Storage['write']>[0];
type ReadRequest = Parameters<Storage['read']>[0];
const writing = (change: (request: WriteRequest, store: Storage) => Promise<unknown>): Alterations => ({
  uses: { storage: (store: Storage) => ({ write: (request: WriteRequest) => change(request, store) }) },
});
const isTip = ({ key }: { readonly key: Uint8Array }): boolean => sameBytes(key, chainKeys.tip);
const isIndex = (key: Uint8Array): boolean => Buffer.from(key.subarray(0, 2)).toString() === 't/';

/** Its state depends on the process that computes it. */
function salted(): Alterations {
  let lives = 0;
  const change = (tip: ChainTip, salt: number): ChainTip => ({ ...tip, stateRoot: new Uint8Array(32).fill(salt) });
  return {
    serves: (own: ChainServed) => {
      const salt = (lives += 1) % 250;
      return {
        tip: async () => change(await own.tip({}), salt),
        commit: async (request: Parameters<ChainServed['commit']>[0]) => change(await own.commit(request), salt),
      };
    },
  };
}

type Restore = Parameters<NonNullable<ChainServed['restore']>>[0];
/** Serves `restore` in another way. */
const restoring = (change: (own: ChainServed, request: Restore) => Promise<ChainTip>): Alterations => ({
  serves: (own: ChainServed) => ({ restore: (request: Restore) => change(own, request) }),
});

const WRONG: readonly (readonly [string, Alterations, string])[] = [
  [
    'takes a snapshot that failed for one that was restored',
    restoring((own, request) => own.restore!(request).catch(() => own.tip({}))),
    'C8',
  ],
  [
    'answers another state than it restored',
    restoring(async (own, request) => ({ ...(await own.restore!(request)), stateRoot: new Uint8Array(32) })),
    'C8',
  ],
  ['offers no snapshot', { serves: () => ({ findSnapshot: () => Promise.resolve({ peer: '' }) }) }, 'C8'],
  ['does not wait for the disk', writing((request, store) => store.write({ ...request, sync: false })), 'C1'],
  ['writes over whatever tip there is', writing((request, store) => store.write({ ...request, when: [] })), 'C1'],
  [
    'moves the tip before it writes the rest',
    writing(async (request, store) => {
      const tips = request.writes.filter(isTip);
      if (tips.length === 0) return store.write(request);
      await store.write({ ...request, writes: tips });
      return store.write({ ...request, when: [], writes: request.writes.filter((write) => !isTip(write)) });
    }),
    'C5',
  ],
  [
    'finds every block valid',
    {
      serves: (own: ChainServed) => ({
        check: async (request: Parameters<ChainServed['check']>[0]) => ({
          ...(await own.check(request)),
          valid: true,
          reason: '',
        }),
      }),
    },
    'C2',
  ],
  [
    'does not look at signatures',
    { context: () => ({ verify: (checks) => Promise.resolve(checks.map(() => true)) }) },
    'C2',
  ],
  ['computes another state on every node', salted(), 'C3'],
  [
    'does not know which transactions are committed',
    {
      uses: {
        storage: (store: Storage) => ({
          read: async (request: ReadRequest) => {
            const { values } = await store.read(request);
            return { values: values.map((value, at) => (isIndex(request.keys[at]!) ? {} : value)) };
          },
        }),
      },
    },
    'C4',
  ],
  [
    'lets a change of members hold at once',
    {
      serves: (own: ChainServed) => ({
        tip: async () => {
          const tip = await own.tip({});
          return { ...tip, validators: tip.nextValidators };
        },
      }),
    },
    'C6',
  ],
  [
    'compares the time of every block with its clock',
    {
      serves: (own: ChainServed) => ({
        check: (request: Parameters<ChainServed['check']>[0]) => own.check({ ...request, fresh: true }),
      }),
    },
    'C7',
  ],
  [
    'tells each block twice',
    {
      context: (context) => ({
        emit: async (notice, body) => {
          await context.emit(notice, body);
          if (notice.name === Chain.events.committed.name) await context.emit(notice, body);
        },
      }),
    },
    'tells each block once',
  ],
  [
    'proves with a path that leads elsewhere',
    {
      serves: (own: ChainServed) => ({
        prove: async (request: Parameters<ChainServed['prove']>[0]) => {
          const proof = await own.prove(request);
          return { ...proof, path: proof.path.toReversed() };
        },
      }),
    },
    'gives blocks, ranges, places and proofs',
  ],
  [
    'takes what peers send without a look at the heights',
    {
      serves: (own: ChainServed) => ({
        fetch: async (request: Parameters<ChainServed['fetch']>[0]) => {
          const { blocks, sources } = await own.fetch(request);
          return { blocks: blocks.slice(1), sources: sources.slice(1) };
        },
      }),
    },
    'fetches blocks from peers',
  ],
];

describe('the chain suite', function () {
  this.timeout(120_000);
  for (const [what, alterations, promise] of WRONG) {
    it(`finds a chain that ${what}`, async () => {
      expect((await failuresOf(over(altered(right, alterations)), promise)).failed).to.have.length(1);
    });
  }

  it('finds nothing in a chain that is right', async () => {
    expect((await failuresOf(over(altered(right, {})))).failed).to.deep.equal([]);
  });
});
