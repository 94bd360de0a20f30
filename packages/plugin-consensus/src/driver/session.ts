import {
  messageOf,
  networkOf,
  type Cancel,
  type Chain,
  type Genesis,
  type Identity,
  type P2p,
  type PluginContext,
  type Storage,
  type Transport,
  type TxPool,
} from '@it-chain/contracts';
import type { ConsensusConfig } from '../config.js';
import type { Input, TimerName } from '../machine/interface.js';
import { signedBytes, type ConsensusMessage } from '../machine/messages.js';
import { createState, type State } from '../machine/state.js';
import { BlockSync } from './block-sync.js';
import { EvidenceStore } from './evidence-store.js';
import { Inbox, type VerifiedMessage } from './inbox.js';
import { Lag } from './lag.js';
import { LeaderWatch } from './leader-watch.js';
import { Ledger } from './ledger.js';
import { Outbox } from './outbox.js';
import { Promoter } from './promoter.js';
import { Accuser } from './accuser.js';
import { VerifiedCache, checkKey } from './verified-cache.js';
import type { VoteLog } from './wal.js';

/** The roles that the driver calls. */
export interface ConsensusRoles {
  readonly chain: Chain;
  readonly identity: Identity;
  readonly p2p: P2p;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly txpool: TxPool;
}

/** All that belongs to one network; made at founding, closed when the node changes over to another one. */
export interface Session {
  readonly network: Uint8Array;
  readonly state: State;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly ledger: Ledger;
  readonly sync: BlockSync;
  readonly promoter: Promoter;
  readonly accuser: Accuser;
  readonly watch: LeaderWatch;
  readonly evidence: EvidenceStore;
  readonly timers: Map<TimerName, Cancel>;
  closed: boolean;
}

/** What the parts of a session tell their driver. */
export interface SessionPorts {
  readonly input: (input: Input, session: Session) => void;
  readonly send: (session: Session, to: readonly Uint8Array[], content: ConsensusMessage) => void;
  readonly onOldDecided: (session: Session, message: VerifiedMessage) => void;
  readonly onBan: (nodeId: string, reason: string) => void;
  readonly sources: (session: Session) => { nodeId: string; height: number }[];
  readonly onTip: () => void;
  /** Others are ahead by more than the open height. */
  readonly onBehind: (session: Session) => void;
}

/** Wires the parts of a session together; it has no logic of its own, which is why it is one long function. */
export function openSession(
  context: PluginContext<ConsensusConfig>,
  roles: ConsensusRoles,
  genesis: Genesis,
  votes: VoteLog,
  ports: SessionPorts,
): Session {
  const network = networkOf(genesis);
  const { clock, log, metrics, identity } = context;
  const { baseTimeoutMs, maxTimeoutMs, rebroadcastMs, statusMs, limits } = context.config;
  const state = createState({
    self: identity.publicKey,
    network,
    leaderTerm: genesis.leaderTerm,
    baseTimeoutMs,
    maxTimeoutMs,
    rebroadcastMs,
    statusMs,
    roundWindow: limits.roundWindow,
    decidedReach: limits.decidedReach,
    maxPeers: limits.maxPeers,
    acceptDoubleSignRisk: acceptsRisk(context),
  });
  const cache = new VerifiedCache({ capacity: limits.verifiedCache });
  const verify = context.verify.bind(context);
  const inbox = new Inbox(limits, {
    clock,
    log,
    cache,
    verify,
    dropped: metrics.counter('consensus_dropped_total', 'Peer messages that were dropped, by reason', ['reason']),
    state: () => state,
    accept: ({ from, content, attempt }) => ports.input({ type: 'message', from, content, attempt }, session),
    onAhead: (from, tip) => lag.onAhead(from, tip),
    onOldDecided: (message) => ports.onOldDecided(session, message),
    onBan: ports.onBan,
  });
  const outbox = new Outbox(
    { network },
    {
      identity: roles.identity,
      votes,
      clock,
      log,
      send: (record, to) => ports.send(session, to, record.message),
      onSigned: (record) => {
        const { vote } = record.message;
        cache.add(checkKey({ publicKey: vote.signer, message: signedBytes(network, vote), signature: vote.signature }));
        ports.input({ type: 'signed', record }, session);
      },
      onRefused: ({ message: { kind, vote } }) =>
        ports.input({ type: 'refused', kind, height: vote.height, round: vote.round }, session),
      openHeight: () => state.height,
      failpoint: context.failpoint,
      onFailing: (error) => context.fatal('io', asError(error)),
    },
  );
  const sync = new BlockSync(
    { network, genesis, syncBlocks: limits.syncBlocks, snapshotAfterBlocks: context.config.snapshotAfterBlocks },
    {
      chain: roles.chain,
      log,
      verify,
      blocks: metrics.counter('consensus_synced_blocks_total', 'Blocks committed from other nodes by certificate'),
      clock,
      height: () => state.tip?.height ?? 0,
      sources: () => ports.sources(session),
      exclusive: (work) => ledger.exclusive(work),
      onNearTip: (tip) => ports.input({ type: 'committed', tip }, session),
      onWrong: (nodeId, reason) => inbox.strike(nodeId, reason, true),
      isStopped: () => session.closed,
    },
  );
  const ledger = new Ledger({
    chain: roles.chain,
    txpool: roles.txpool,
    clock,
    log,
    onTip: (tip) => {
      ports.input({ type: 'committed', tip }, session);
      lag.onTip();
      ports.onTip();
    },
    onUncommittable: (height) => ports.input({ type: 'decide-failed', height }, session),
    failpoint: context.failpoint,
    onDiverged: (error) => context.fatal('safety', error),
    onPassed: ({ block, certificate }) => {
      const content = { kind: 'decided', block, certificate } as const;
      ports.onOldDecided(session, { from: state.options.self, content, attempt: 0 });
    },
    isStopped: () => session.closed,
  });
  const lag = new Lag({
    state: () => state,
    input: (input) => ports.input(input, session),
    sync: () => ports.onBehind(session),
  });
  const promoter = new Promoter({ ...context.config.promotion, genesis, network }, { context, txpool: roles.txpool });
  const watch = new LeaderWatch(
    { ...context.config.complaint, baseTimeoutMs, genesis },
    {
      clock,
      log,
      complaints: metrics.counter('consensus_complaints_total', 'Complaints about a leader, by reason', ['reason']),
    },
  );
  const evidence = new EvidenceStore(
    { network, maxEvidence: limits.maxEvidence, maxEvidenceEach: limits.maxEvidenceEach },
    {
      storage: roles.storage,
      log,
      kept: metrics.counter('consensus_evidence_total', 'Proofs of equivocation that were stored'),
    },
  );
  const accuser = new Accuser(
    { ...context.config.accuse, genesis, network },
    { context, txpool: roles.txpool, evidence },
  );
  const timers = new Map<TimerName, Cancel>();
  const parts = { network, state, inbox, outbox, ledger, sync, promoter, watch, evidence, accuser };
  const session: Session = { ...parts, timers, closed: false };
  return session;
}

/** The operator takes the risk for good by the config, or for one start by --accept-double-sign-risk. */
export const acceptsRisk = ({ config, node }: PluginContext<ConsensusConfig>): boolean =>
  config.acceptDoubleSignRisk || node.acceptDoubleSignRisk === true;

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error));
}
