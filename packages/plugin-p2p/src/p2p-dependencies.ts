import type {
  Application,
  Chain,
  Clock,
  Consensus,
  Health,
  Log,
  Metrics,
  NodeIdentity,
  NoticeDefinition,
  SignatureCheck,
  Storage,
  Transport,
  TxPool,
} from '@it-chain/contracts';

/** What the plugin needs around it. */
export interface P2pDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly identity: NodeIdentity;
  /** Founds at start instead of waiting for somebody. */
  readonly solo: boolean;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly application: Application;
  readonly chain: Chain;
  readonly txpool: TxPool;
  readonly consensus: Consensus;
  /** Random bytes of a length. */
  readonly random: (length: number) => Uint8Array;
  /** Signs with the key of the node: 64 bytes. */
  readonly sign: (
    domain: 'join' | 'transaction' | 'record',
    network: Uint8Array,
    content: Uint8Array,
  ) => Promise<Uint8Array>;
  /** One verdict per signature, in order. */
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** Publishes an event or sends a transient message. */
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
  /** Tells the health of the plugin. */
  readonly health: (health: Health) => void;
}
