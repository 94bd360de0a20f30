import { randomUUID } from 'node:crypto';
import type { Message } from 'amqplib';
import { decodeError, failure, type Cancel, type Clock, type RequestOptions } from '@it-chain/contracts';
import { propertiesOf, textOf } from './properties.js';
import type { Session } from './session.js';
import type { Topology } from './topology.js';

/** RabbitMQ's longest per-message expiration, in ms. */
const MAX_EXPIRATION_MS = 0xffffffff;
/** Requests asked about in one probe. */
const MAX_PROBED = 1_000;

interface Pending {
  readonly id: string;
  readonly role: string;
  readonly address: string;
  readonly sentAt: number;
  settle(outcome: Uint8Array | Error): void;
}

interface Probe {
  readonly sentAt: number;
  readonly role: string;
  readonly ids: readonly string[];
  readonly answered: ((served: boolean) => void) | undefined;
}

/** Options of {@link Requests}. */
export interface RequestsOptions {
  readonly maxPending: number;
  readonly probeMs: number;
}

/**
 * The caller's side of requests. An answer comes by direct reply-to, a return (mandatory) says that nobody serves the
 * call. Whether a provider that took a request is still there is found by a probe: a message through the provider's own
 * queue, behind the request, that lists what waits. Returned: the queue is gone and so is the provider. Answered: what
 * the provider does not have in hand was lost, since its answer would have come before on the same channel.
 *
 * All answers come to one address, which every provider learns that is asked anything. So correlation ids are drawn: who
 * was not asked cannot answer in the name of who was.
 */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #topology: Topology;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Pending>();
  readonly #probes = new Map<string, Probe>();
  #session: Session | undefined;
  #stopProbing: Cancel | undefined;

  constructor(options: RequestsOptions, dependencies: { readonly topology: Topology; readonly clock: Clock }) {
    this.#options = options;
    this.#topology = dependencies.topology;
    this.#clock = dependencies.clock;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Uses a new session. */
  async resume(session: Session): Promise<void> {
    session.direct.on('return', (message: Message) => {
      this.#onReturn(message);
    });
    const onAnswer = (message: Message | null): void => {
      if (message !== null) this.#onAnswer(message);
    };
    await session.direct.consume('amq.rabbitmq.reply-to', onAnswer, { noAck: true });
    this.#session = session;
  }

  /** Fails everything that waits: after a lost connection no answer can come. */
  fail(error: Error): void {
    this.#session = undefined;
    for (const pending of [...this.#pending.values()]) pending.settle(error);
    for (const probe of this.#probes.values()) probe.answered?.(false);
    this.#probes.clear();
  }

  send(
    role: string,
    address: string,
    body: Buffer,
    options: RequestOptions,
    meta: { messageId: string; timestamp: number | undefined },
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const session = this.#session;
      if (session === undefined) throw failure('ERR_BUS_CLOSED', 'the bus is not connected', { retryable: true });
      if (this.#pending.size >= this.#options.maxPending) {
        throw failure('ERR_BUS_FULL', `${this.#pending.size} requests wait for their answers already`, {
          retryable: true,
        });
      }
      const { timeoutMs, signal } = options;
      const id = randomUUID();
      const settle = (outcome: Uint8Array | Error): void => {
        if (!this.#pending.delete(id)) return;
        cancel();
        signal?.removeEventListener('abort', onAbort);
        if (outcome instanceof Uint8Array) resolve(outcome);
        else reject(outcome);
      };
      const onAbort = (): void => {
        settle(failure('ERR_BUS_ABORTED', `the caller gave ${address} up`));
      };
      const cancel = this.#clock.after(timeoutMs, () => {
        settle(
          failure('ERR_BUS_TIMEOUT', `${address} did not answer within ${Math.round(timeoutMs)} ms`, {
            retryable: true,
          }),
        );
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pending.set(id, { id, role, address, sentAt: this.#clock.monotonic(), settle });
      this.#stopProbing ??= this.#clock.every(this.#options.probeMs, () => {
        this.#probeAll();
      });
      const properties = propertiesOf(address, { ...meta, traceparent: options.traceparent, sender: options.sender });
      properties.correlationId = id;
      properties.replyTo = 'amq.rabbitmq.reply-to';
      properties.mandatory = true;
      properties.expiration = String(Math.min(Math.ceil(timeoutMs), MAX_EXPIRATION_MS));
      try {
        session.direct.publish(this.#topology.rpc, address, body, properties);
      } catch {
        settle(failure('ERR_BUS_CLOSED', `the connection was lost before ${address} was sent`, { retryable: true }));
      }
    });
  }

  /** Asks whether a role is served now. */
  isServed(role: string): Promise<boolean> {
    this.#forgetProbes(this.#clock.monotonic() - 4 * this.#options.probeMs);
    return new Promise((resolve) => {
      if (this.#session === undefined) {
        resolve(false);
        return;
      }
      // A provider whose connection ends may have taken the probe with it: then nobody answers, and nothing comes back.
      const cancel = this.#clock.after(4 * this.#options.probeMs, () => resolve(false));
      const answered = (served: boolean): void => {
        cancel();
        resolve(served);
      };
      this.#probe({ role, ids: [], sentAt: this.#clock.monotonic(), answered });
    });
  }

  #onAnswer(message: Message): void {
    const id = textOf(message.properties.correlationId) ?? '';
    const probe = this.#probes.get(id);
    if (probe !== undefined) {
      this.#probes.delete(id);
      probe.answered?.(true);
      if (message.content.length > 0) {
        for (const lost of message.content.toString('latin1').split('\n')) this.#lose(lost);
      }
      return;
    }
    const outcome = message.properties.type === 'error' ? decodeError(message.content) : message.content;
    this.#pending.get(id)?.settle(outcome);
  }

  #onReturn(message: Message): void {
    const id = textOf(message.properties.correlationId) ?? '';
    const probe = this.#probes.get(id);
    if (probe !== undefined) {
      this.#probes.delete(id);
      probe.answered?.(false);
      for (const lost of probe.ids) this.#lose(lost);
      return;
    }
    const pending = this.#pending.get(id);
    pending?.settle(
      failure('ERR_BUS_NO_PROVIDER', `nobody serves ${pending.address} of ${pending.role}`, { retryable: true }),
    );
  }

  #lose(id: string): void {
    const pending = this.#pending.get(id);
    pending?.settle(
      failure(
        'ERR_BUS_PROVIDER_LOST',
        `the provider of ${pending.role} went away during ${pending.address}: its outcome is unknown`,
      ),
    );
  }

  #probeAll(): void {
    if (this.#pending.size === 0) {
      this.#stopProbing?.();
      this.#stopProbing = undefined;
      return;
    }
    if (this.#session === undefined) return;
    const before = this.#clock.monotonic() - this.#options.probeMs;
    const byRole = new Map<string, string[]>();
    for (const { id, role, sentAt } of this.#pending.values()) {
      if (sentAt > before) continue;
      const ids = byRole.get(role) ?? [];
      if (ids.length < MAX_PROBED) ids.push(id);
      byRole.set(role, ids);
    }
    this.#forgetProbes(before - 3 * this.#options.probeMs);
    // One probe of a role at a time: a provider that is busy is not asked again so soon.
    for (const probe of this.#probes.values()) byRole.delete(probe.answered === undefined ? probe.role : '');
    const sentAt = this.#clock.monotonic();
    for (const [role, ids] of byRole) this.#probe({ role, ids, sentAt, answered: undefined });
  }

  /** A probe whose receiver died before it answered is never answered: the next one is returned. */
  #forgetProbes(sentBefore: number): void {
    for (const [id, probe] of this.#probes) {
      if (probe.sentAt >= sentBefore) continue;
      this.#probes.delete(id);
      probe.answered?.(false);
    }
  }

  #probe(probe: Probe): void {
    const id = randomUUID();
    this.#probes.set(id, probe);
    try {
      this.#session?.direct.publish(
        this.#topology.rpc,
        this.#topology.probeKey(probe.role),
        Buffer.from(probe.ids.join('\n'), 'latin1'),
        {
          mandatory: true,
          correlationId: id,
          replyTo: 'amq.rabbitmq.reply-to',
          type: 'probe',
          contentType: 'text/plain',
        },
      );
    } catch {
      // The connection is being lost: that fails everything that waits.
      this.#probes.delete(id);
      probe.answered?.(false);
    }
  }
}
