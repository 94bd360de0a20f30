import {
  Application,
  Chain,
  P2p,
  PEER_KINDS,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  failure,
  hasCode,
  packageVersion,
  type PluginContext,
} from '@it-chain/contracts';
import { BlockBuilder } from './block-builder.js';
import { BlockChecker } from './block-checker.js';
import { BlockExecutor } from './block-executor.js';
import { BlockFetcher } from './block-fetcher.js';
import { BlockServer } from './block-server.js';
import { ChainConfig } from './chain-config.js';
import { ChainQueries } from './chain-queries.js';
import { ChainStore } from './chain-store.js';
import { Epoch } from './epoch.js';
import { Ledger } from './ledger.js';
import { NetworkWatch } from './network-watch.js';
import { Pruner } from './pruner.js';
import { SnapshotMaker } from './snapshot-maker.js';
import { SnapshotRestorer } from './snapshot-restorer.js';
import { SnapshotServer } from './snapshot-server.js';
import { SnapshotStore } from './snapshot-store.js';

/** The plugin that serves the role `chain`. */
export const chainPlugin = definePlugin({
  name: 'chain',
  version: packageVersion(import.meta.url),
  provides: [Chain],
  requires: [Storage, Application],
  uses: [Transport, P2p, TxPool],
  config: ChainConfig,
  setup(context) {
    const { config, clock, log } = context;
    const storage = context.use(Storage);
    const store = new ChainStore(config, { storage });
    const snapshots = new SnapshotStore({ storage, chain: store });
    const ledger = makeLedger(context, store, snapshots);
    const transport = context.use(Transport);
    const fetcher = new BlockFetcher(config, { transport, log });
    const queries = new ChainQueries(config, {
      store,
      state: () => ledger.state(),
      founded: () => ledger.stateIfFounded !== undefined,
    });
    const p2p = context.use(P2p);
    const chain = chainRole({ ledger, queries, fetcher, store, p2p });
    context.serve(Chain, chain);
    const server = new BlockServer(config, {
      chain,
      snapshots: new SnapshotServer({ snapshots }),
      transport,
      clock,
      log,
    });
    context.on(Transport.events.asked, (asked) =>
      asked.kind === PEER_KINDS.blocks || asked.kind === PEER_KINDS.snapshot ? server.answer(asked) : undefined,
    );
    const watch = new NetworkWatch(
      { pollMs: config.networkPollMs },
      {
        p2p,
        clock,
        log,
        settled: () => (ledger.stateIfFounded?.tip.height ?? 0) > 0,
        adopt: (genesis) => ledger.adopt(genesis),
      },
    );
    context.on(P2p.events.founded, () => {
      watch.look();
    });
    return {
      start: async () => {
        await ledger.load();
        watch.start();
      },
      stop: () => {
        watch.stop();
      },
    };
  },
});

interface ChainParts {
  readonly ledger: Ledger;
  readonly queries: ChainQueries;
  readonly fetcher: BlockFetcher;
  readonly store: ChainStore;
  readonly p2p: P2p;
}

/** What the plugin serves, each call with the part that does it. */
function chainRole({ ledger, queries, fetcher, store, p2p }: ChainParts): Chain {
  return {
    build: ({ height, round = 0 }) => ledger.build(height, round),
    check: (request) => ledger.check(request),
    commit: (request) => ledger.commit(request),
    tip: async () => ledger.state().tip,
    get: (request) => queries.get(request),
    range: (request) => queries.range(request),
    fetch: (request, call) => fetcher.fetch(request, call?.timeoutMs),
    findSnapshot: ({ peers }) => ledger.findSnapshot(peers),
    restore: ({ snapshot, peer }) => ledger.restore(snapshot, peer),
    recover: async ({ genesis }) => {
      await requireStopped(p2p);
      return ledger.recover(genesis);
    },
    base: () => Promise.resolve({ snapshot: store.base }),
    locate: (request) => queries.locate(request),
    prove: (request) => queries.prove(request),
    validators: (request) => queries.validators(request),
    roles: (request) => queries.roles(request),
    members: () => queries.members(),
  };
}

/** The network must not change under a node that talks to others in it. @throws ERR_RECOVERY_REFUSED */
async function requireStopped(p2p: P2p): Promise<void> {
  try {
    if ((await p2p.network({})).genesis === undefined) return;
  } catch (error) {
    if (hasCode(error, 'ERR_BUS_NO_PROVIDER')) return;
    throw error;
  }
  throw failure('ERR_RECOVERY_REFUSED', 'the node runs: its network is recovered while it is stopped', {
    hint: 'Stop it and use `it-chain recover`.',
  });
}

function makeLedger(context: PluginContext<ChainConfig>, store: ChainStore, snapshots: SnapshotStore): Ledger {
  const { config, clock, log, metrics } = context;
  const application = context.use(Application);
  const pool = context.use(TxPool);
  const executor = new BlockExecutor({ application });
  const verify: PluginContext['verify'] = (checks) => context.verify(checks);
  const transport = context.use(Transport);
  const restorer = new SnapshotRestorer(config.snapshots, { snapshots, application, transport, clock, log });
  return new Ledger({
    store,
    builder: new BlockBuilder({ store, pool, clock, log, identity: context.identity }),
    snapshots,
    maker: new SnapshotMaker(
      { ...config.snapshots, keepProofs: config.prune.keepBlocks > 0 },
      { store, snapshots, application, clock, log },
    ),
    pruner: new Pruner({ ...config.prune, ...config.snapshots }, { snapshots, log }),
    restorer,
    epoch: new Epoch({ snapshots, restorer, application, transport, verify, log }),
    checker: new BlockChecker(config, { store, executor, pool, clock, log, verify }),
    application,
    log,
    metrics,
    emit: (notice, body) => context.emit(notice, body),
    fatal: (kind, error) => {
      context.fatal(kind, error);
    },
    failpoint: context.failpoint,
    health: (health) => {
      context.health(health);
    },
  });
}
