import { createRequire } from 'node:module';
import { type VirtualHost } from '../broker/virtual-host.js';
import { type PlainValue, tableOf } from '../wire/field-table.js';
import { type DecodedMethod } from '../wire/method-codec.js';
import { type Output } from '../wire/output.js';
import { ReplyError } from '../wire/reply-error.js';
import { type FieldTable, FRAME, type MethodArguments } from '../wire/spec.js';
import { type KnownUser, mayOpen, type Peer } from './authenticator.js';
import { type Services } from './session.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };

/** What client and server agreed on. */
export interface Agreement {
  readonly user: KnownUser;
  readonly vhost: VirtualHost;
  readonly clientProperties: FieldTable;
  readonly channelMax: number;
  readonly frameMax: number;
  readonly heartbeatSeconds: number;
}

/** Thrown when a login is refused; the connection waits before it answers. */
export class LoginRefused extends ReplyError {
  constructor(
    mechanism: string,
    /** Whether the client understands connection.close as an answer (authentication_failure_close). */
    readonly tellClient: boolean,
  ) {
    super('ACCESS_REFUSED', `login was refused using authentication mechanism ${mechanism}`, true);
  }
}

type Step = 'startOk' | 'tuneOk' | 'open';

/** What this server can do, in the words of RabbitMQ that clients look for. */
const CAPABILITIES = {
  publisher_confirms: true,
  exchange_exchange_bindings: true,
  'basic.nack': true,
  consumer_cancel_notify: true,
  'connection.blocked': true,
  consumer_priorities: true,
  authentication_failure_close: true,
  per_consumer_qos: true,
  direct_reply_to: true,
} as const;

/** The conversation that opens a connection: start, tune, open (section 2.2.4). */
export class Handshake {
  #step: Step = 'startOk';
  #user: KnownUser | undefined;
  #clientProperties: FieldTable = new Map();
  #tuned = { channelMax: 0, frameMax: 0, heartbeatSeconds: 0 };
  readonly #services: Services;
  readonly #output: Output;
  readonly #peer: Peer;

  constructor(services: Services, output: Output, peer: Peer) {
    this.#services = services;
    this.#output = output;
    this.#peer = peer;
  }

  /** Greets the client. */
  begin(): void {
    const properties: Record<string, PlainValue> = {
      product: '@it-chain/amqp-server',
      version,
      platform: `Node.js ${process.version}`,
      capabilities: CAPABILITIES,
      ...this.#services.options.serverProperties,
    };
    this.#output.method(0, 'connection.start', {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: tableOf(properties),
      mechanisms: Buffer.from(this.#services.authenticator.mechanisms(this.#peer)),
      locales: Buffer.from('en_US'),
    });
  }

  /** Handles one method. Returns the agreement when the connection is open. */
  handle(method: DecodedMethod): Agreement | undefined {
    if (method.name !== `connection.${this.#step}`) {
      throw new ReplyError('COMMAND_INVALID', `${method.name} while connection.${this.#step} is expected`);
    }
    if (method.name === 'connection.startOk') this.#start(method.arguments);
    else if (method.name === 'connection.tuneOk') this.#tune(method.arguments);
    else if (method.name === 'connection.open') return this.#open(method.arguments.virtualHost);
    return undefined;
  }

  #start(request: MethodArguments<'connection.startOk'>): void {
    const { options, authenticator, counters } = this.#services;
    this.#clientProperties = request.clientProperties;
    const { mechanism } = request;
    if (!authenticator.mechanisms(this.#peer).split(' ').includes(mechanism)) {
      throw new ReplyError('ACCESS_REFUSED', `unknown authentication mechanism '${mechanism}'`, true);
    }
    this.#user = authenticator.login(mechanism, request.response, this.#peer);
    if (this.#user === undefined) {
      counters.authFailures++;
      throw new LoginRefused(mechanism, hasCapability(this.#clientProperties, 'authentication_failure_close'));
    }
    this.#step = 'tuneOk';
    const { channelMax, frameMax, heartbeatSeconds } = options;
    this.#output.method(0, 'connection.tune', { channelMax, frameMax, heartbeat: heartbeatSeconds });
  }

  #tune(request: MethodArguments<'connection.tuneOk'>): void {
    const { options } = this.#services;
    this.#step = 'open';
    this.#tuned = {
      channelMax: negotiate('channel_max', request.channelMax, 1, options.channelMax),
      frameMax: negotiate('frame_max', request.frameMax, FRAME.minSize, options.frameMax),
      heartbeatSeconds: request.heartbeat,
    };
  }

  #open(name: string): Agreement {
    const user = this.#user;
    const vhost = this.#services.vhosts.get(name);
    if (user === undefined) throw new ReplyError('COMMAND_INVALID', 'connection.open before a login');
    if (vhost === undefined) throw new ReplyError('NOT_ALLOWED', `vhost '${name}' not found`);
    if (!mayOpen(user, name)) {
      throw new ReplyError('NOT_ALLOWED', `access to vhost '${name}' refused for user '${user.name}'`);
    }
    if (this.#services.connectionsOf(user.name) >= user.maxConnections) {
      const text = `user '${user.name}' has ${user.maxConnections} connections already`;
      throw new ReplyError('NOT_ALLOWED', text);
    }
    this.#output.method(0, 'connection.openOk', { reserved1: '' });
    return { user, vhost, clientProperties: this.#clientProperties, ...this.#tuned };
  }
}

/** Zero means that the client sets no limit of its own. */
function negotiate(what: string, wanted: number, least: number, most: number): number {
  if (wanted === 0) return most;
  if (wanted >= least && wanted <= most) return wanted;
  throw new ReplyError('NOT_ALLOWED', `negotiated ${what} ${wanted} is not between ${least} and ${most}`);
}

/** Whether client properties list this capability as true. */
export function hasCapability(clientProperties: FieldTable, name: string): boolean {
  const capabilities = clientProperties.get('capabilities')?.value;
  return capabilities instanceof Map && capabilities.get(name)?.value === true;
}
