import { randomBytes } from 'node:crypto';
import { parseQueueArguments } from '../broker/queue-arguments.js';
import { type Queue } from '../broker/queue.js';
import { REPLY_PREFIX } from '../broker/virtual-host.js';
import { type DecodedMethod } from '../wire/method-codec.js';
import { ReplyError } from '../wire/reply-error.js';
import { type MethodArguments } from '../wire/spec.js';
import { type Access } from './authenticator.js';
import { type ChannelContext } from './channel-context.js';
import { DIRECT_REPLY_TO } from './publisher.js';
import { checkAccess, checkKey } from './session.js';

/** Handles the methods of class queue; returns false for others. */
export function handleQueue(channel: ChannelContext, method: DecodedMethod): boolean {
  const { output } = channel.session;
  switch (method.name) {
    case 'queue.declare':
      declare(channel, method.arguments);
      return true;
    case 'queue.bind':
      bind(channel, method.arguments, true);
      if (!method.arguments.nowait) output.method(channel.id, 'queue.bindOk', {});
      return true;
    case 'queue.unbind':
      bind(channel, method.arguments, false);
      output.method(channel.id, 'queue.unbindOk', {});
      return true;
    case 'queue.purge': {
      const queue = allowedQueue(channel, method.arguments.queue, 'read');
      const messageCount = queue.purge();
      if (!method.arguments.nowait) output.method(channel.id, 'queue.purgeOk', { messageCount });
      return true;
    }
    case 'queue.delete':
      remove(channel, method.arguments);
      return true;
    default:
      return false;
  }
}

/** The name a client means: an empty one stands for the queue declared last. Throws 404 when there is none. */
export function queueName(channel: ChannelContext, name: string): string {
  if (name !== '') return name;
  if (channel.lastQueue === undefined) throw new ReplyError('NOT_FOUND', 'no previously declared queue');
  return channel.lastQueue;
}

/** The queue a client names, if this connection may use it. */
export function namedQueue(channel: ChannelContext, name: string): Queue {
  return channel.session.vhost.queue(queueName(channel, name), channel.session);
}

/** The queue a client names, if its user has this access. What the user may not touch it does not learn of either. */
export function allowedQueue(channel: ChannelContext, name: string, access: Access): Queue {
  checkAccess(channel.session, access, 'queue', queueName(channel, name));
  return namedQueue(channel, name);
}

function declare(channel: ChannelContext, request: MethodArguments<'queue.declare'>): void {
  const { vhost } = channel.session;
  if (request.queue.startsWith(DIRECT_REPLY_TO)) {
    declareReplyQueue(channel, request);
    return;
  }
  const queue = request.passive ? namedQueue(channel, request.queue) : declareQueue(channel, request);
  if (request.passive) queue.touch();
  channel.lastQueue = queue.name;
  answer(channel, request, vhost.describe('queue', queue.name), queue.name, queue);
}

function answer(
  channel: ChannelContext,
  request: MethodArguments<'queue.declare'>,
  where: string,
  name: string,
  queue: Queue | undefined,
): void {
  if (request.nowait) {
    if (request.queue === '' && !request.passive) throw new ReplyError('COMMAND_INVALID', `nowait for ${where}`);
    return;
  }
  channel.session.output.method(channel.id, 'queue.declareOk', {
    queue: name,
    messageCount: queue?.ready ?? 0,
    consumerCount: queue?.consumers.size ?? 0,
  });
}

/** A responder may ask whether a direct reply-to address is still alive by declaring it. */
function declareReplyQueue(channel: ChannelContext, request: MethodArguments<'queue.declare'>): void {
  const { vhost } = channel.session;
  const alive = request.queue === DIRECT_REPLY_TO || vhost.replyQueues.has(request.queue);
  if (!alive) throw new ReplyError('NOT_FOUND', `no ${vhost.describe('queue', request.queue)}`);
  channel.lastQueue = request.queue;
  answer(channel, request, REPLY_PREFIX, request.queue, undefined);
}

function declareQueue(channel: ChannelContext, request: MethodArguments<'queue.declare'>): Queue {
  const { session } = channel;
  const { vhost } = session;
  const name = request.queue === '' ? `amq.gen-${randomBytes(16).toString('base64url')}` : request.queue;
  const where = vhost.describe('queue', name);
  checkAccess(session, 'configure', 'queue', name);
  const exists = vhost.queues.has(name);
  if (!exists && request.queue.startsWith('amq.')) {
    throw new ReplyError('ACCESS_REFUSED', `queue name '${name}' contains reserved prefix 'amq.*'`);
  }
  if (exists) vhost.queue(name, session);
  const { durable, exclusive, autoDelete, arguments: table } = request;
  const flags = { durable, exclusive, autoDelete };
  const parsed = parseQueueArguments(table, where, flags);
  if (parsed.deadLetterExchange !== undefined) {
    checkAccess(session, 'read', 'queue', name);
    checkAccess(session, 'write', 'exchange', parsed.deadLetterExchange);
    // Dead letters that keep their own keys could have any: that is allowed only where every key is.
    checkKey(session, 'write', parsed.deadLetterExchange, parsed.deadLetterRoutingKey ?? '');
  }
  if (!durable && !exclusive && !exists) warnTransient(channel, where);
  const owner = exclusive ? session : undefined;
  const { user } = session;
  if (!exists && vhost.queuesOf(user.name) >= user.maxQueues) {
    throw new ReplyError('RESOURCE_ERROR', `limit of ${user.maxQueues} queues of user '${user.name}' reached`, false);
  }
  return vhost.declareQueue(
    { name, flags, arguments: parsed, table, owner, user: user.name, held: user.held },
    session,
  );
}

function warnTransient(channel: ChannelContext, where: string): void {
  const message = `transient ${where} is not exclusive; RabbitMQ 4.3 refuses it: declare it durable or exclusive`;
  if (channel.session.services.options.strict) throw new ReplyError('INTERNAL_ERROR', message);
  channel.session.services.warn({ code: 'ERR_AMQP_TRANSIENT_QUEUE', message });
}

interface BindRequest {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly arguments: MethodArguments<'queue.bind'>['arguments'];
}

function bind(channel: ChannelContext, request: BindRequest, add: boolean): void {
  const { session } = channel;
  const { vhost } = session;
  const queue = allowedQueue(channel, request.queue, 'write');
  checkAccess(session, 'read', 'exchange', request.exchange);
  const exchange = vhost.exchange(request.exchange);
  if (exchange.name === '') {
    throw new ReplyError('ACCESS_REFUSED', 'operation not permitted on the default exchange');
  }
  // With neither a queue name nor a key, the key is the name of the queue (0-9-1 reference, queue.bind).
  const key = request.queue === '' && request.routingKey === '' ? queue.name : request.routingKey;
  checkKey(session, 'read', exchange.name, key);
  const { user } = session;
  if (add && vhost.bindingsOf(user.name, queue) >= user.maxBindings) {
    throw new ReplyError(
      'RESOURCE_ERROR',
      `limit of ${user.maxBindings} bindings of user '${user.name}' reached`,
      false,
    );
  }
  if (add) vhost.bind(exchange, queue, key, request.arguments);
  else vhost.unbind(exchange, queue, key, request.arguments);
}

function remove(channel: ChannelContext, request: MethodArguments<'queue.delete'>): void {
  const { session } = channel;
  const { vhost } = session;
  const name = queueName(channel, request.queue);
  checkAccess(session, 'configure', 'queue', name);
  let messageCount = 0;
  // Deleting a queue that does not exist succeeds, as in RabbitMQ.
  if (vhost.queues.has(name)) {
    const queue = vhost.queue(name, session);
    const where = vhost.describe('queue', name);
    if (request.ifUnused && queue.consumers.size > 0) throw new ReplyError('PRECONDITION_FAILED', `${where} in use`);
    if (request.ifEmpty && queue.ready > 0) throw new ReplyError('PRECONDITION_FAILED', `${where} not empty`);
    messageCount = queue.ready;
    vhost.deleteQueue(queue);
  }
  if (!request.nowait) session.output.method(channel.id, 'queue.deleteOk', { messageCount });
}
