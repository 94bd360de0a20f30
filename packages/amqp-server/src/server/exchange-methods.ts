import { type ExchangeType } from '../broker/exchange.js';
import { ArgumentReader } from '../broker/queue-arguments.js';
import { type DecodedMethod } from '../wire/method-codec.js';
import { ReplyError } from '../wire/reply-error.js';
import { type MethodArguments } from '../wire/spec.js';
import { type ChannelContext } from './channel-context.js';
import { checkAccess, checkKey } from './session.js';

const TYPES: readonly ExchangeType[] = ['direct', 'fanout', 'topic', 'headers'];

/** Handles the methods of class exchange; returns false for others. */
export function handleExchange(channel: ChannelContext, method: DecodedMethod): boolean {
  const { output } = channel.session;
  switch (method.name) {
    case 'exchange.declare':
      declare(channel, method.arguments);
      if (!method.arguments.nowait) output.method(channel.id, 'exchange.declareOk', {});
      return true;
    case 'exchange.delete':
      remove(channel, method.arguments);
      if (!method.arguments.nowait) output.method(channel.id, 'exchange.deleteOk', {});
      return true;
    case 'exchange.bind':
      bind(channel, method.arguments, true);
      if (!method.arguments.nowait) output.method(channel.id, 'exchange.bindOk', {});
      return true;
    case 'exchange.unbind':
      bind(channel, method.arguments, false);
      if (!method.arguments.nowait) output.method(channel.id, 'exchange.unbindOk', {});
      return true;
    default:
      return false;
  }
}

function declare(channel: ChannelContext, request: MethodArguments<'exchange.declare'>): void {
  const { session } = channel;
  const { vhost } = session;
  const name = request.exchange;
  refuseDefault(name);
  if (request.passive) {
    vhost.exchange(name);
    return;
  }
  const type = TYPES.find((known) => known === request.type);
  if (type === undefined) throw new ReplyError('COMMAND_INVALID', `unknown exchange type '${request.type}'`);
  checkAccess(session, 'configure', 'exchange', name);
  if (!vhost.exchanges.has(name) && name.startsWith('amq.')) {
    throw new ReplyError('ACCESS_REFUSED', `exchange name '${name}' contains reserved prefix 'amq.*'`);
  }
  const where = vhost.describe('exchange', name);
  const alternateExchange = new ArgumentReader(request.arguments, where).text('alternate-exchange');
  if (alternateExchange !== undefined) {
    checkAccess(session, 'read', 'exchange', name);
    checkAccess(session, 'write', 'exchange', alternateExchange);
    checkKey(session, 'write', alternateExchange, '');
  }
  const { durable, autoDelete, internal } = request;
  vhost.declareExchange(name, { type, durable, autoDelete, internal, alternateExchange });
}

function remove(channel: ChannelContext, request: MethodArguments<'exchange.delete'>): void {
  const { session } = channel;
  const { vhost } = session;
  const name = request.exchange;
  refuseDefault(name);
  if (name.startsWith('amq.')) {
    throw new ReplyError('ACCESS_REFUSED', `exchange name '${name}' contains reserved prefix 'amq.*'`);
  }
  checkAccess(session, 'configure', 'exchange', name);
  const exchange = vhost.exchanges.get(name);
  // Deleting an exchange that does not exist succeeds, as in RabbitMQ.
  if (exchange === undefined) return;
  if (request.ifUnused && exchange.bindings.size > 0) {
    throw new ReplyError('PRECONDITION_FAILED', `${vhost.describe('exchange', name)} in use`);
  }
  vhost.deleteExchange(exchange);
}

function bind(channel: ChannelContext, request: MethodArguments<'exchange.bind'>, add: boolean): void {
  const { session } = channel;
  const { vhost } = session;
  refuseDefault(request.source);
  refuseDefault(request.destination);
  const destination = vhost.exchange(request.destination);
  const source = vhost.exchange(request.source);
  checkAccess(session, 'write', 'exchange', destination.name);
  checkAccess(session, 'read', 'exchange', source.name);
  checkKey(session, 'read', source.name, request.routingKey);
  if (add) vhost.bind(source, destination, request.routingKey, request.arguments);
  else vhost.unbind(source, destination, request.routingKey, request.arguments);
}

function refuseDefault(name: string): void {
  if (name === '') throw new ReplyError('ACCESS_REFUSED', 'operation not permitted on the default exchange');
}
