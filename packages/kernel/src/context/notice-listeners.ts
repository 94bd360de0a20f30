import {
  failure,
  messageOf,
  noticeAddress,
  type AnyNotice,
  type Bus,
  type IncomingMessage,
  type Log,
  type NoticeMeta,
  type Registration,
} from '@it-chain/contracts';

/** What a plugin listens with: the name of the event or transient message, its body, and facts about it. */
export type NoticeHandler = (name: string, body: unknown, meta: NoticeMeta) => void | Promise<void>;

interface Listener {
  readonly notice: AnyNotice;
  readonly handler: NoticeHandler;
}

/** Event handlers of one plugin that may run at once; then the next event waits. */
const MAX_RUNNING = 256;

/**
 * The listeners of one plugin. Its events come through one subscription, so that they keep their order across kinds
 * (`peer.connected` before `peer.disconnected`): handlers are *started* in that order and may overlap, so one that
 * waits for something does not hold up the others. Durable events come through a second one, one at a time, and are
 * finished when all their handlers have succeeded. Each transient message has a bounded queue of its own and is handled
 * one at a time.
 */
export class NoticeListeners {
  readonly #durableName: string;
  readonly #log: Log;
  readonly #events = new Map<string, Listener[]>();
  readonly #durable = new Map<string, Listener[]>();
  readonly #transients = new Map<string, Listener[]>();
  #running = 0;
  #bound = false;
  readonly #free: (() => void)[] = [];

  constructor(options: { readonly durableName: string }, dependencies: { readonly log: Log }) {
    this.#durableName = options.durableName;
    this.#log = dependencies.log;
  }

  /** Notes a listener. @throws ERR_PLUGIN_ROLE_UNDECLARED after {@link bind}, or for a durable transient message */
  add(notices: readonly AnyNotice[], handler: NoticeHandler, durable: boolean): void {
    if (this.#bound) {
      throw failure('ERR_PLUGIN_ROLE_UNDECLARED', `"${this.#durableName}" listens after its setup has returned`);
    }
    for (const notice of notices) {
      if (durable && notice.kind === 'transient') {
        throw failure('ERR_PLUGIN_ROLE_UNDECLARED', `${notice.name} is transient: it cannot be listened to durably`);
      }
      const group = notice.kind === 'transient' ? this.#transients : durable ? this.#durable : this.#events;
      const address = noticeAddress(notice);
      group.set(address, [...(group.get(address) ?? []), { notice, handler }]);
    }
  }

  /** Subscribes to all that was noted. */
  async bind(bus: Bus): Promise<Registration[]> {
    this.#bound = true;
    const registrations: Registration[] = [];
    if (this.#events.size > 0) {
      registrations.push(await bus.subscribe([...this.#events.keys()], (message) => this.#start(message)));
    }
    if (this.#durable.size > 0) {
      const handle = (message: IncomingMessage): Promise<void> => this.#finish(message);
      registrations.push(await bus.subscribe([...this.#durable.keys()], handle, { durable: this.#durableName }));
    }
    for (const [address, listeners] of this.#transients) {
      const maxQueued = Math.max(...listeners.map(({ notice }) => notice.maxQueued));
      const handle = (message: IncomingMessage): Promise<void> => this.#handleAll(listeners, message);
      registrations.push(await bus.listen([address], handle, { maxQueued }));
    }
    return registrations;
  }

  /** Starts the handlers of an event; waits only while too many are running. */
  async #start(message: IncomingMessage): Promise<void> {
    this.#running += 1;
    void this.#handleAll(this.#events.get(message.address) ?? [], message).finally(() => {
      this.#running -= 1;
      this.#free.shift()?.();
    });
    if (this.#running >= MAX_RUNNING) await new Promise<void>((resolve) => this.#free.push(resolve));
  }

  /** Runs the handlers of a durable event; the first failure makes the bus deliver it again. */
  async #finish(message: IncomingMessage): Promise<void> {
    for (const listener of this.#durable.get(message.address) ?? []) {
      try {
        await this.#run(listener, message);
      } catch (error) {
        this.#log.warn('a durable event was not finished', { event: message.address, reason: messageOf(error) });
        throw error;
      }
    }
  }

  async #handleAll(listeners: readonly Listener[], message: IncomingMessage): Promise<void> {
    // Bodies are decoded for each listener: one of them may keep or change its own.
    await Promise.all(
      listeners.map(async (listener) => {
        try {
          await this.#run(listener, message);
        } catch (error) {
          this.#log.warn('the handler of an event failed', { event: message.address, reason: messageOf(error) });
        }
      }),
    );
  }

  async #run({ notice, handler }: Listener, message: IncomingMessage): Promise<void> {
    const body: unknown = notice.body.decode(message.body);
    const { messageId, timestamp, redelivered } = message;
    await handler(notice.name, body, { messageId, timestamp, redelivered });
  }
}
