import type {
  Application,
  Call,
  Chain,
  Consensus,
  P2p,
  PluginContext,
  Storage,
  Transport,
  TxPool,
} from '@it-chain/contracts';
import type { ApiConfig } from '../api-config.js';
import type { EventFeed } from '../event-feed.js';
import type { MethodName, ReplyOf, RequestOf } from '../service-definition.js';
import type { Sink } from '../sink.js';

/** What the client API is built on: proxies of the roles, and the node's context. */
export interface ClientApiDependencies {
  readonly context: Pick<
    PluginContext,
    'log' | 'clock' | 'metrics' | 'identity' | 'node' | 'dataDir' | 'random' | 'sign' | 'inspect'
  >;
  readonly chain: Chain;
  readonly txpool: TxPool;
  readonly p2p: P2p;
  readonly consensus: Consensus;
  readonly application: Application;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly events: EventFeed;
}

/** What the handlers of one area get. */
export interface HandlerContext {
  readonly options: ApiConfig;
  readonly dependencies: ClientApiDependencies;
}

export type StreamMethod = 'watchTransaction' | 'followBlocks' | 'followEvents';
export type DuplexMethod = 'submitStream';
export type UnaryMethod = Exclude<MethodName, StreamMethod | DuplexMethod>;

/** Answers one request. `call.signal` aborts when the client has gone. */
export type UnaryHandler<K extends UnaryMethod> = (request: RequestOf<K>, call: Call) => Promise<ReplyOf<K>>;
/** Sends answers until it is done or `sink.signal` aborts. */
export type StreamHandler<K extends StreamMethod> = (request: RequestOf<K>, sink: Sink<ReplyOf<K>>) => Promise<void>;

export type UnaryHandlers = { readonly [K in UnaryMethod]: UnaryHandler<K> };
export type StreamHandlers = { readonly [K in StreamMethod]: StreamHandler<K> };
