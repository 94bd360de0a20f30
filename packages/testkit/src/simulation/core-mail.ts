import { isItChainError } from '@it-chain/contracts';
import type { CoreWorld } from './core-world.js';
import { InvariantViolation, thrown } from './invariants.js';
import type { ConsensusMachine, Message } from './machine.js';
import type { SimulatedProcess } from './process.js';
import { blockOn, SIMULATED_NETWORK } from './stub-chain.js';
import type { Actor } from './strategies/index.js';

/** Every so manieth message crosses the encoding instead of being handed over as it is. */
const ENCODED_EVERY = 16;

/** Brings the messages of machines over the links, and through the lies of those that have a strategy. */
export class CoreMail<State> {
  readonly #world: CoreWorld<State>;
  readonly #sizes = new WeakMap<Message, number>();
  #salt = 0;
  #encoded = 0;

  constructor(world: CoreWorld<State>) {
    this.#world = world;
  }

  /** Sends a message of a machine; a strategy may send others in its place. */
  send(node: SimulatedProcess<State>, to: readonly Uint8Array[], message: Message, attempt: number): void {
    const { invariants, keyring } = this.#world;
    const { strategy } = node;
    if (strategy === undefined) {
      invariants.onMessage(node.identity, message);
      for (const key of to) this.#deliver(node, keyring.indexOf(key), message, attempt);
      return;
    }
    const actor = this.actorOf(node);
    for (const key of to) {
      const identity = keyring.indexOf(key);
      for (const altered of strategy.alter?.(message, identity, actor) ?? [message]) {
        invariants.onMessage(node.identity, altered);
        this.#deliver(node, identity, altered, attempt);
      }
    }
  }

  /** The hands of a Byzantine process. */
  actorOf(node: SimulatedProcess<State>): Actor {
    const world = this.#world;
    const { identity, random, tip, heard } = node;
    const signer = world.keyring.key(identity);
    return {
      identity,
      sequence: identity,
      random,
      network: SIMULATED_NETWORK,
      tip,
      heard,
      others: [...world.byIdentity.keys()].filter((other) => other !== identity),
      machine: world.machine,
      sign: (vote) => world.keyring.signVote({ ...vote, signer, signature: new Uint8Array(64) }),
      block: (transactions = []) => {
        this.#salt += 1;
        const time = Math.max(Math.floor(world.moments.clockOf(node)), tip.time + 1) + (this.#salt % 9_000);
        return blockOn(tip, identity, time, transactions);
      },
      send: (to, message, attempt = 0) => {
        world.invariants.onMessage(identity, message);
        this.#deliver(node, to, message, attempt);
      },
    };
  }

  #deliver(node: SimulatedProcess<State>, identity: number, message: Message, attempt: number): void {
    const world = this.#world;
    for (const target of world.byIdentity.get(identity) ?? []) {
      world.messages += 1;
      if (world.countBytes) world.bytes += this.#sizeOf(message, attempt);
      for (const delay of world.links.plan(node.index, target.index)) {
        const { life } = target;
        world.queue.after(delay + target.slowMs, () => {
          if (target.alive && target.life === life) this.#arrive(node, target, message, attempt);
        });
      }
    }
  }

  #sizeOf(message: Message, attempt: number): number {
    const known = this.#sizes.get(message);
    if (known !== undefined) return known;
    const size = this.#world.machine.encode(message, SIMULATED_NETWORK, attempt).length;
    this.#sizes.set(message, size);
    return size;
  }

  #arrive(node: SimulatedProcess<State>, target: SimulatedProcess<State>, sent: Message, attempt: number): void {
    const world = this.#world;
    if (world.moments.isFrozen(target, () => this.#arrive(node, target, sent, attempt))) return;
    this.#encoded = (this.#encoded + 1) % ENCODED_EVERY;
    const content = this.#encoded === 0 ? this.#throughBytes(sent, attempt) : sent;
    target.hear(content);
    if (!world.gate.admits(target.tip, content)) {
      world.refused += 1;
      return;
    }
    world.input(target, { type: 'message', from: world.keyring.key(node.identity), content, attempt });
  }

  #throughBytes(message: Message, attempt: number): Message {
    const { machine } = this.#world;
    let read: ReturnType<ConsensusMachine<State>['decode']>;
    try {
      read = machine.decode(machine.encode(message, SIMULATED_NETWORK, attempt));
    } catch (error) {
      if (isItChainError(error)) return message;
      throw thrown(error, 'the encoding of a message');
    }
    if (read === undefined) throw new InvariantViolation('exception', 'a message got lost in its encoding');
    return read.content;
  }
}
