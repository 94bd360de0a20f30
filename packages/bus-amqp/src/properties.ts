import type { Message, Options } from 'amqplib';
import type { IncomingMessage, MessageMeta } from '@it-chain/contracts';

/** Marks what is sent a second time, because its first confirm did not come. */
const RESENT = 'resent';
/** AMQP's own timestamp has seconds only. */
const TIMESTAMP_MS = 'timestamp_in_ms';

/** The properties of a message, as AMQP means them. */
export function propertiesOf(address: string, meta: MessageMeta): Options.Publish {
  const properties: Options.Publish = {
    contentType: 'application/protobuf',
    type: address,
    messageId: meta.messageId,
  };
  const headers: Record<string, unknown> = {};
  if (meta.traceparent !== undefined) headers['traceparent'] = meta.traceparent;
  if (meta.sender !== undefined) properties.appId = meta.sender;
  if (meta.timestamp !== undefined) {
    properties.timestamp = Math.floor(meta.timestamp / 1_000);
    headers[TIMESTAMP_MS] = Math.floor(meta.timestamp);
  }
  properties.headers = headers;
  return properties;
}

/** The same properties for another attempt. */
export function resentOf(properties: Options.Publish): Options.Publish {
  return { ...properties, headers: { ...(properties.headers as object), [RESENT]: true } };
}

/** True where the same message may have come before. */
export function mayBeRepeated(message: Message): boolean {
  return message.fields.redelivered || headersOf(message)[RESENT] === true;
}

/** The facts of a message from the broker. Nothing in it is trusted to have a type. */
export function metaOf(message: Message): MessageMeta {
  const { properties } = message;
  const headers = headersOf(message);
  const traceparent = headers['traceparent'];
  const exact = headers[TIMESTAMP_MS];
  const seconds: unknown = properties.timestamp;
  return {
    messageId: textOf(properties.messageId) ?? '',
    traceparent: textOf(traceparent),
    sender: textOf(properties.appId),
    timestamp: typeof exact === 'number' ? exact : typeof seconds === 'number' ? seconds * 1_000 : undefined,
  };
}

/**
 * True where a sender published a message to this exchange, whose routing keys the broker checks. By the default exchange,
 * or as a dead letter, a message reaches any queue under any key.
 */
export function cameThrough(exchange: string, message: Message): boolean {
  return message.fields.exchange === exchange && headersOf(message)['x-death'] === undefined;
}

/** What a listener gets. The address is what the broker has checked, the routing key, and never what the sender says it is. */
export function incomingOf(
  message: Message,
  redelivered: boolean,
  address = message.fields.routingKey,
): IncomingMessage {
  return { ...metaOf(message), address, body: message.content, redelivered };
}

/** Times the broker has given this message back already. */
export function deliveryCountOf(message: Message): number {
  const count = headersOf(message)['x-delivery-count'];
  return typeof count === 'number' && count > 0 ? count : 0;
}

/** A text of the wire, or undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function headersOf(message: Message): Record<string, unknown> {
  return (message.properties.headers as Record<string, unknown> | undefined) ?? {};
}
