import { randomBytes } from 'node:crypto';
import { ArgumentReader, parseQueueArguments } from '../broker/queue-arguments.js';
import { Queue } from '../broker/queue.js';
import { REPLY_PREFIX } from '../broker/virtual-host.js';
import { type DecodedMethod } from '../wire/method-codec.js';
import { ReplyError } from '../wire/reply-error.js';
import { type Field, type MethodArguments } from '../wire/spec.js';
import { type ChannelContext } from './channel-context.js';
import { DIRECT_REPLY_TO } from './publisher.js';
import { allowedQueue } from './queue-methods.js';

/** Handles the methods of class basic but publish; returns false for others. */
export function handleBasic(channel: ChannelContext, method: DecodedMethod): boolean {
  const { ledger } = channel;
  switch (method.name) {
    case 'basic.ack': {
      const { deliveryTag, multiple } = method.arguments;
      channel.settled(() => ledger.settle(deliveryTag, multiple, 'acknowledge'));
      return true;
    }
    case 'basic.nack': {
      const { deliveryTag, multiple, requeue } = method.arguments;
      channel.settled(() => ledger.settle(deliveryTag, multiple, requeue ? 'requeue' : 'reject'));
      return true;
    }
    case 'basic.reject': {
      const { deliveryTag, requeue } = method.arguments;
      channel.settled(() => ledger.settle(deliveryTag, false, requeue ? 'requeue' : 'reject'));
      return true;
    }
    case 'basic.qos':
      qos(channel, method.arguments);
      return true;
    case 'basic.consume':
      consume(channel, method.arguments);
      return true;
    case 'basic.cancel':
      cancel(channel, method.arguments);
      return true;
    case 'basic.get':
      get(channel, method.arguments);
      return true;
    case 'basic.recover':
    case 'basic.recoverAsync':
      if (!method.arguments.requeue) throw new ReplyError('NOT_IMPLEMENTED', 'basic.recover with requeue=false');
      if (method.name === 'basic.recover') channel.session.output.method(channel.id, 'basic.recoverOk', {});
      channel.settled(() => ledger.requeueAll());
      return true;
    default:
      return false;
  }
}

function qos(channel: ChannelContext, request: MethodArguments<'basic.qos'>): void {
  const { services, output } = channel.session;
  if (request.prefetchSize !== 0) throw new ReplyError('NOT_IMPLEMENTED', 'prefetch_size is not 0');
  if (request.global) {
    const message = 'qos with global=true; RabbitMQ 4.3 refuses it: use a prefetch for each consumer';
    if (services.options.strict) throw new ReplyError('NOT_IMPLEMENTED', message);
    services.warn({ code: 'ERR_AMQP_GLOBAL_QOS', message });
    channel.ledger.globalPrefetch = request.prefetchCount;
  } else channel.prefetch = request.prefetchCount;
  output.method(channel.id, 'basic.qosOk', {});
  if (request.global) channel.dispatch();
}

function consume(channel: ChannelContext, request: MethodArguments<'basic.consume'>): void {
  const { session } = channel;
  const tag = request.consumerTag === '' ? channel.newConsumerTag() : request.consumerTag;
  if (channel.consumers.has(tag)) throw new ReplyError('NOT_ALLOWED', `attempt to reuse consumer tag '${tag}'`);
  const most = session.services.options.maxConsumersPerChannel;
  if (channel.consumers.size >= most) {
    throw new ReplyError('NOT_ALLOWED', `limit of ${most} consumers in a channel reached`);
  }
  const queue = request.queue === DIRECT_REPLY_TO ? replyQueue(channel, request) : consumedQueue(channel, request);
  const priority = new ArgumentReader(request.arguments, `consumer '${tag}'`).integer(
    'x-priority',
    -0x80000000,
    0x7fffffff,
  );
  const { noAck, exclusive } = request;
  const settings = { tag, queue, noAck, exclusive, priority: priority ?? 0, prefetch: channel.prefetch };
  const consumer = channel.addConsumer(settings);
  if (!request.nowait) session.output.method(channel.id, 'basic.consumeOk', { consumerTag: tag });
  queue.addConsumer(consumer);
  queue.dispatch();
}

function consumedQueue(channel: ChannelContext, request: MethodArguments<'basic.consume'>): Queue {
  const { session } = channel;
  const queue = allowedQueue(channel, request.queue, 'read');
  const taken = queue.consumers.some((consumer) => consumer.exclusive);
  if (taken || (request.exclusive && queue.consumers.size > 0)) {
    const where = session.vhost.describe('queue', queue.name);
    throw new ReplyError('ACCESS_REFUSED', `${where} in exclusive use`);
  }
  return queue;
}

/** Direct reply-to: replies wait in a hidden queue with an address nobody can guess (RabbitMQ's amq.rabbitmq.reply-to). */
function replyQueue(channel: ChannelContext, request: MethodArguments<'basic.consume'>): Queue {
  const { session, publisher } = channel;
  if (!request.noAck) throw new ReplyError('PRECONDITION_FAILED', 'reply consumer cannot acknowledge');
  if (publisher.replyAddress !== undefined) throw new ReplyError('PRECONDITION_FAILED', 'reply consumer already set');
  const name = `${REPLY_PREFIX}${randomBytes(18).toString('base64url')}`;
  const flags = { durable: false, exclusive: true, autoDelete: false };
  const most = session.services.options.maxReplyBytes;
  const table = new Map<string, Field>([['x-max-length-bytes', { type: 'l', value: most }]]);
  const parsed = parseQueueArguments(table, name, flags);
  const { name: user, held } = session.user;
  const queue = new Queue({ name, flags, arguments: parsed, table, owner: session, user, held }, session.vhost);
  session.vhost.replyQueues.set(name, queue);
  publisher.replyAddress = name;
  return queue;
}

function cancel(channel: ChannelContext, request: MethodArguments<'basic.cancel'>): void {
  const { consumerTag } = request;
  const consumer = channel.consumers.get(consumerTag);
  if (!request.nowait) channel.session.output.method(channel.id, 'basic.cancelOk', { consumerTag });
  if (consumer === undefined) return;
  channel.consumers.delete(consumerTag);
  if (consumer.queue.name === channel.publisher.replyAddress) dropReplyQueue(channel, consumer.queue);
  consumer.queue.removeConsumer(consumer);
  consumer.queue.dispatch();
}

function dropReplyQueue(channel: ChannelContext, queue: Queue): void {
  channel.session.vhost.replyQueues.delete(queue.name);
  channel.publisher.replyAddress = undefined;
  queue.purge();
}

function get(channel: ChannelContext, request: MethodArguments<'basic.get'>): void {
  const { output } = channel.session;
  const queue = allowedQueue(channel, request.queue, 'read');
  const entry = queue.take();
  if (entry === undefined) {
    output.method(channel.id, 'basic.getEmpty', { reserved1: '' });
    return;
  }
  const message = queue.outgoing(entry);
  const deliveryTag = request.noAck ? channel.ledger.nextTag() : channel.ledger.track(entry, queue, undefined);
  const { exchange, routingKey } = message.route;
  const { redelivered } = entry;
  output.method(channel.id, 'basic.getOk', {
    deliveryTag,
    redelivered,
    exchange,
    routingKey,
    messageCount: queue.ready,
  });
  output.content(channel.id, message);
  if (request.noAck) queue.acknowledge(entry);
}
