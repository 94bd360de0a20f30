import {
  BlockHeader,
  BlockRangeAnswer,
  Block,
  Certificate,
  Chain,
  Consensus,
  PEER_KINDS,
  Transport,
  TxPool,
  headerDigest,
  isItChainError,
  nodeIdOf,
  signBytes,
  transactionId,
  transactionRootOf,
  validatorSetHash,
  voteSigningBytes,
  type ChainTip,
  type Plugin,
  type PluginContext,
  type Role,
} from '@it-chain/contracts';
import type { ConsensusMachine, Message, Vote } from '../machine.js';
import type { Random } from '../random.js';
import type { Actor, Strategy } from '../strategies/index.js';

const ACT_MS = 100;
const MAX_HEARD = 200;

/** What a strategy needs of the protocol of the nodes: how its messages are written and read. */
export type Speech = Pick<ConsensusMachine<unknown>, 'claimDigest' | 'encode' | 'decode'>;

/** What a liar knows of the run. */
export interface LiarWorld {
  readonly speech: Speech;
  readonly random: Random;
  readonly secretKey: Uint8Array;
  /** Public keys of all nodes, by index. */
  readonly keys: readonly Uint8Array[];
  /** False until the network is as large as the number of liars demands. */
  isLying(): boolean;
  did(): void;
}

/**
 * A Byzantine node: its plugins are those that all nodes run, and a strategy of the core simulator stands between them and
 * the others. It changes what consensus says, what the chain puts into blocks and what it answers; and it signs past the guard.
 */
export class Liar {
  readonly #index: number;
  readonly #strategy: Strategy;
  readonly #world: LiarWorld;
  readonly #heard: Message[] = [];
  #tip: ChainTip | undefined;
  #salt = 0;

  constructor(index: number, strategy: Strategy, world: LiarWorld) {
    this.#index = index;
    this.#strategy = strategy;
    this.#world = world;
  }

  /** The context that a plugin of this node gets instead of its own. */
  corrupt(plugin: Plugin, context: PluginContext): PluginContext {
    const provides = (role: Role): boolean => plugin.provides.some(({ name }) => name === role.name);
    if (provides(Consensus)) return this.#corruptConsensus(context);
    return provides(Chain) ? this.#corruptChain(context) : context;
  }

  #corruptConsensus(context: PluginContext): PluginContext {
    const transport = context.use(Transport);
    const chain = context.use(Chain);
    const send = (to: readonly number[], message: Message, attempt: number): void => {
      const peers = to.flatMap((index) => this.#world.keys[index] ?? []).map(nodeIdOf);
      const body = this.#encode(message, attempt);
      if (body === undefined) return;
      // A session may be gone: whoever lies does not mind.
      void transport.deliver({ peers, kind: PEER_KINDS.consensus, body, lane: 'control' }).catch(() => undefined);
    };
    context.on(Chain.events.committed, async () => {
      this.#tip = await chain.tip({});
    });
    context.on(Transport.events.received, ({ kind, body }) => {
      if (kind === PEER_KINDS.consensus) this.#hear(body);
    });
    context.clock.every(ACT_MS, () => {
      const actor = this.#actor(send);
      if (actor !== undefined) this.#strategy.act?.(actor);
    });
    const deliver: Transport['deliver'] = async (request, call) => {
      const actor = request.kind === PEER_KINDS.consensus ? this.#actor(send) : undefined;
      const spoken = actor === undefined ? undefined : this.#world.speech.decode(request.body);
      if (actor === undefined || spoken === undefined) return transport.deliver(request, call);
      for (const nodeId of request.peers) {
        const to = this.#world.keys.findIndex((key) => nodeIdOf(key) === nodeId);
        const said = this.#strategy.alter?.(spoken.content, to, actor) ?? [spoken.content];
        if (said.length !== 1 || said[0] !== spoken.content) this.#world.did();
        for (const message of said) send([to], message, spoken.attempt);
      }
      return { peers: request.peers.length };
    };
    return withRole(context, Transport, { deliver });
  }

  #corruptChain(context: PluginContext): PluginContext {
    const transport = context.use(Transport);
    const pool = context.use(TxPool);
    const strategy = this.#strategy;
    const kinds = new Map<string, string>();
    context.on(Transport.events.asked, ({ requestId, kind }) => void kinds.set(requestId, kind));
    const answer: Transport['answer'] = (request, call) => {
      const kind = kinds.get(request.requestId);
      kinds.delete(request.requestId);
      const actor = this.#actor(() => undefined);
      const lies = kind === PEER_KINDS.blocks && request.errorCode === '' && strategy.answer !== undefined;
      if (!lies || actor === undefined) return transport.answer(request, call);
      this.#world.did();
      const body = this.#answer(request.body, actor);
      return body === undefined ? Promise.resolve({}) : transport.answer({ ...request, body }, call);
    };
    const take: TxPool['take'] = async (request, call) => {
      const taken = await pool.take(request, call);
      const network = this.#tip?.network;
      if (network === undefined || !this.#world.isLying() || strategy.admit === undefined) return taken;
      const transactions = taken.transactions.filter(
        (encoded) => strategy.admit?.(nameOf(transactionId(encoded, network))) ?? true,
      );
      if (transactions.length < taken.transactions.length) this.#world.did();
      return { transactions };
    };
    return withRole(withRole(context, Transport, { answer }), TxPool, { take });
  }

  #answer(body: Uint8Array, actor: Actor): Uint8Array | undefined {
    const { blocks } = BlockRangeAnswer.decode(body);
    const committed = blocks.map(({ block, certificate }) => ({
      block: Block.decode(block),
      certificate: Certificate.decode(certificate),
    }));
    const told = this.#strategy.answer === undefined ? committed : this.#strategy.answer(committed, actor);
    if (told === undefined) return undefined;
    return BlockRangeAnswer.encode({
      blocks: told.map(({ block, certificate }) => ({
        block: Block.encode(block),
        certificate: Certificate.encode(certificate),
      })),
    });
  }

  #hear(body: Uint8Array): void {
    let message: Message | undefined;
    try {
      message = this.#world.speech.decode(body)?.content;
    } catch (error) {
      // What another liar says need not be a message.
      if (!isItChainError(error)) throw error;
    }
    if (message === undefined) return;
    if (this.#heard.length >= MAX_HEARD) this.#heard.shift();
    this.#heard.push(message);
  }

  #encode(message: Message, attempt: number): Uint8Array | undefined {
    const tip = this.#tip;
    if (tip === undefined) return undefined;
    try {
      return this.#world.speech.encode(message, tip.network, attempt);
    } catch (error) {
      // A lie that no message can hold stays unsaid.
      if (!isItChainError(error)) throw error;
      return undefined;
    }
  }

  /** The hands of the strategy, once there is something to lie about. */
  #actor(send: (to: readonly number[], message: Message, attempt: number) => void): Actor | undefined {
    const tip = this.#tip;
    const { keys, speech, random } = this.#world;
    const signer = keys[this.#index];
    if (tip === undefined || signer === undefined || !this.#world.isLying()) return undefined;
    const member = tip.validators.validators.find(({ publicKey }) => nodeIdOf(publicKey) === nodeIdOf(signer));
    const sequence = member?.sequence ?? -1;
    const sign: Actor['sign'] = (vote) => {
      const { type, height, round, digest } = vote;
      const content = { type, height, round, digest };
      const signature = signBytes(voteSigningBytes(tip.network, content), this.#world.secretKey);
      return { ...content, signer, signature } satisfies Vote;
    };
    return {
      identity: this.#index,
      sequence,
      random,
      network: tip.network,
      tip,
      heard: this.#heard,
      others: [...keys.keys()].filter((other) => other !== this.#index),
      machine: speech,
      sign,
      block: () => {
        this.#salt += 1;
        return emptyBlock(tip, signer, Math.max(0, sequence), tip.time + 1 + (this.#salt % 1_000));
      },
      send: (to, message, attempt = 0) => {
        this.#world.did();
        send([to], message, attempt);
      },
    };
  }
}

/** A block without transactions on a tip: valid, whoever of the validators leads. */
function emptyBlock(
  tip: ChainTip,
  proposer: Uint8Array,
  proposerSequence: number,
  time: number,
): ReturnType<Actor['block']> {
  const header = BlockHeader.encode({
    version: 1,
    network: tip.network,
    height: tip.height + 1,
    previous: tip.digest,
    proposer,
    proposerSequence,
    time,
    transactionRoot: transactionRootOf([], []),
    transactionCount: 0,
    previousStateRoot: tip.stateRoot,
    validators: validatorSetHash(tip.validators),
    nextValidators: validatorSetHash(tip.nextValidators),
  });
  return { block: { header, transactions: [] }, digest: headerDigest(header, tip.network) };
}

/** What a strategy is told of a transaction of a node: a number, as long as chance has it. */
const nameOf = (id: Uint8Array): string => String(id[0] ?? 0);

/** A context in which some calls of one role are others. Around an empty object: what is frozen cannot be answered otherwise. */
function withRole(context: PluginContext, role: Role, calls: object): PluginContext {
  const use = (asked: Role): unknown => {
    const served = context.use(asked);
    if (asked.name !== role.name) return served;
    return new Proxy({}, { get: (_, key) => pick(calls, key) ?? pick(served, key) });
  };
  return new Proxy({} as PluginContext, { get: (_, key) => (key === 'use' ? use : bound(context, key)) });
}

const pick = (from: object, key: PropertyKey): unknown => Reflect.get(from, key) as unknown;

function bound(target: object, key: PropertyKey): unknown {
  const value = pick(target, key);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}
