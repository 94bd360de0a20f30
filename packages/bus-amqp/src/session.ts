import { connect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { messageOf, type Log } from '@it-chain/contracts';
import { redacted, type Settings } from './options.js';

/**
 * One life of the connection to the broker: two connections, because a memory alarm stops the one that publishes, and
 * the one that consumes must go on to drain. Whatever ends one of its parts ends all of it, once, through `onLost`.
 */
export class Session {
  /** Publishes events and tasks, with confirms. */
  readonly confirmed: ConfirmChannel;
  /** Publishes requests, answers and transient messages, and gets the answers (direct reply-to needs one channel). */
  readonly direct: Channel;
  /** Consumes without acknowledgements: roles, events, transient messages. */
  readonly fast: Channel;
  readonly #publishing: ChannelModel;
  readonly #consuming: ChannelModel;
  readonly #log: Log;
  readonly #onLost: (session: Session, why: string) => void;
  #lost = false;
  #blocked = false;

  private constructor(
    parts: {
      publishing: ChannelModel;
      consuming: ChannelModel;
      confirmed: ConfirmChannel;
      direct: Channel;
      fast: Channel;
    },
    dependencies: { readonly log: Log; readonly onLost: (session: Session, why: string) => void },
  ) {
    this.#publishing = parts.publishing;
    this.#consuming = parts.consuming;
    this.confirmed = parts.confirmed;
    this.direct = parts.direct;
    this.fast = parts.fast;
    this.#log = dependencies.log;
    this.#onLost = dependencies.onLost;
  }

  /** Opens both connections and the shared channels. Throws what the library throws. */
  static async open(
    settings: Settings,
    dependencies: { readonly log: Log; readonly onLost: (session: Session, why: string) => void },
  ): Promise<Session> {
    const opened: ChannelModel[] = [];
    let early: string | undefined;
    let session: Session | undefined;
    const lose = (error: unknown): void => {
      const why = redacted(messageOf(error ?? 'closed by the broker'), settings);
      if (session === undefined) early ??= why;
      else session.end(why);
    };
    const openConnection = async (role: string): Promise<ChannelModel> => {
      const model = await connect(settings.url, socketOptionsOf(settings, role));
      opened.push(model);
      model.on('error', lose);
      model.on('close', lose);
      return model;
    };
    try {
      const [publishing, consuming] = await Promise.all([openConnection('publish'), openConnection('consume')]);
      const [confirmed, direct, fast] = await Promise.all([
        publishing.createConfirmChannel(),
        publishing.createChannel(),
        consuming.createChannel(),
      ]);
      for (const channel of [confirmed, direct, fast]) {
        channel.on('error', lose);
        channel.on('close', lose);
      }
      if (early !== undefined) throw new Error(early);
      session = new Session({ publishing, consuming, confirmed, direct, fast }, dependencies);
      session.#watchBlocking();
      return session;
    } catch (error) {
      for (const model of opened) model.close().catch(() => undefined); // It is given up either way.
      throw error;
    }
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** True while the broker takes no more messages (memory or disk alarm). */
  get isBlocked(): boolean {
    return this.#blocked;
  }

  /** A channel of its own for a consumer that acknowledges; its end is the end of the session. */
  async openChannel(): Promise<Channel> {
    const channel = await this.#consuming.createChannel();
    channel.on('error', (error) => {
      this.end(messageOf(error));
    });
    return channel;
  }

  /** Runs declarations on a channel that may break (the broker closes it at the first refusal) without the session. */
  async declare<T>(run: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.#consuming.createChannel();
    channel.on('error', (error) => {
      // The same error rejects the call in `run`.
      this.#log.debug('a declaration was refused', { reason: messageOf(error) });
    });
    const result = await run(channel);
    await channel.close();
    return result;
  }

  /**
   * Says goodbye. Channels first: the library writes connection.close at once, past what channels still have buffered.
   */
  async close(): Promise<void> {
    this.#lost = true;
    await ignoreErrors([this.confirmed.close(), this.direct.close(), this.fast.close()]);
    await ignoreErrors([this.#publishing.close(), this.#consuming.close()]);
  }

  /** Ends the session because one of its parts is gone, for instance a consumer that the broker has cancelled. */
  end(why: string): void {
    if (this.#lost) return;
    this.#lost = true;
    // Half a session is none: the other connection goes too, and the broker deletes what was exclusive to it.
    void ignoreErrors([this.#publishing.close(), this.#consuming.close()]);
    this.#onLost(this, why);
  }

  #watchBlocking(): void {
    this.#publishing.on('blocked', (reason) => {
      this.#blocked = true;
      this.#log.warn('the broker takes no more messages for now', { reason });
    });
    this.#publishing.on('unblocked', () => {
      this.#blocked = false;
      this.#log.info('the broker takes messages again');
    });
  }
}

function socketOptionsOf(settings: Settings, role: string) {
  return {
    // Without it a request waits for the delayed acknowledgement of TCP, 40 ms.
    noDelay: true,
    timeout: settings.connectTimeoutMs,
    clientProperties: { connection_name: `${settings.name} ${settings.namespace} ${role}` },
    ...(settings.socketPath === undefined ? {} : { path: settings.socketPath }),
  };
}

async function ignoreErrors(closing: readonly Promise<unknown>[]): Promise<void> {
  // Closing what is closed already rejects; there is nothing else to do about it.
  await Promise.allSettled(closing);
}
