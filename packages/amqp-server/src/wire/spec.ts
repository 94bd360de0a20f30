/**
 * The methods of AMQP 0-9-1 and of RabbitMQ's extensions, as one table: class id, method id, arguments in wire order.
 * The whole method codec is derived from it, at run time and in the types.
 */

/** Wire types of a method argument (AMQP 0-9-1 section 4.2.1). Neighbouring `bit` arguments share one octet. */
export type ArgumentType = 'octet' | 'short' | 'long' | 'longlong' | 'bit' | 'shortstr' | 'longstr' | 'table';

interface ArgumentValues {
  octet: number;
  short: number;
  long: number;
  longlong: number;
  bit: boolean;
  shortstr: string;
  longstr: Buffer;
  table: FieldTable;
}

/** A field table: names in wire order, each with its typed value. A Map, so that no name can reach a prototype. */
export type FieldTable = Map<string, Field>;

/** One value of a field table with its type letter, so that it can be compared and written back without loss. */
export interface Field {
  readonly type: FieldType;
  readonly value: FieldValue;
}

/** Type letters as RabbitMQ and its clients use them; they differ from the letters printed in the 0-9-1 document. */
export type FieldType =
  't' | 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'l' | 'L' | 'f' | 'd' | 'D' | 'S' | 'A' | 'T' | 'F' | 'V' | 'x';

/** What a field holds once decoded; a 64 bit integer beyond 2^53 is a bigint, `D` keeps its five raw octets. */
export type FieldValue = boolean | number | bigint | string | Buffer | null | readonly Field[] | FieldTable;

/** [class id, method id, arguments as `name:type` separated by blanks] */
type MethodRow = readonly [number, number, string];

/** All methods, by `class.method` name. */
export const METHODS = {
  'connection.start': [
    10,
    10,
    'versionMajor:octet versionMinor:octet serverProperties:table mechanisms:longstr locales:longstr',
  ],
  'connection.startOk': [10, 11, 'clientProperties:table mechanism:shortstr response:longstr locale:shortstr'],
  'connection.secure': [10, 20, 'challenge:longstr'],
  'connection.secureOk': [10, 21, 'response:longstr'],
  'connection.tune': [10, 30, 'channelMax:short frameMax:long heartbeat:short'],
  'connection.tuneOk': [10, 31, 'channelMax:short frameMax:long heartbeat:short'],
  'connection.open': [10, 40, 'virtualHost:shortstr reserved1:shortstr reserved2:bit'],
  'connection.openOk': [10, 41, 'reserved1:shortstr'],
  'connection.close': [10, 50, 'replyCode:short replyText:shortstr classId:short methodId:short'],
  'connection.closeOk': [10, 51, ''],
  'connection.blocked': [10, 60, 'reason:shortstr'],
  'connection.unblocked': [10, 61, ''],
  'connection.updateSecret': [10, 70, 'newSecret:longstr reason:shortstr'],
  'connection.updateSecretOk': [10, 71, ''],
  'channel.open': [20, 10, 'reserved1:shortstr'],
  'channel.openOk': [20, 11, 'reserved1:longstr'],
  'channel.flow': [20, 20, 'active:bit'],
  'channel.flowOk': [20, 21, 'active:bit'],
  'channel.close': [20, 40, 'replyCode:short replyText:shortstr classId:short methodId:short'],
  'channel.closeOk': [20, 41, ''],
  'access.request': [30, 10, 'realm:shortstr exclusive:bit passive:bit active:bit write:bit read:bit'],
  'access.requestOk': [30, 11, 'ticket:short'],
  'exchange.declare': [
    40,
    10,
    'ticket:short exchange:shortstr type:shortstr passive:bit durable:bit autoDelete:bit internal:bit nowait:bit arguments:table',
  ],
  'exchange.declareOk': [40, 11, ''],
  'exchange.delete': [40, 20, 'ticket:short exchange:shortstr ifUnused:bit nowait:bit'],
  'exchange.deleteOk': [40, 21, ''],
  'exchange.bind': [
    40,
    30,
    'ticket:short destination:shortstr source:shortstr routingKey:shortstr nowait:bit arguments:table',
  ],
  'exchange.bindOk': [40, 31, ''],
  'exchange.unbind': [
    40,
    40,
    'ticket:short destination:shortstr source:shortstr routingKey:shortstr nowait:bit arguments:table',
  ],
  'exchange.unbindOk': [40, 51, ''],
  'queue.declare': [
    50,
    10,
    'ticket:short queue:shortstr passive:bit durable:bit exclusive:bit autoDelete:bit nowait:bit arguments:table',
  ],
  'queue.declareOk': [50, 11, 'queue:shortstr messageCount:long consumerCount:long'],
  'queue.bind': [
    50,
    20,
    'ticket:short queue:shortstr exchange:shortstr routingKey:shortstr nowait:bit arguments:table',
  ],
  'queue.bindOk': [50, 21, ''],
  'queue.purge': [50, 30, 'ticket:short queue:shortstr nowait:bit'],
  'queue.purgeOk': [50, 31, 'messageCount:long'],
  'queue.delete': [50, 40, 'ticket:short queue:shortstr ifUnused:bit ifEmpty:bit nowait:bit'],
  'queue.deleteOk': [50, 41, 'messageCount:long'],
  'queue.unbind': [50, 50, 'ticket:short queue:shortstr exchange:shortstr routingKey:shortstr arguments:table'],
  'queue.unbindOk': [50, 51, ''],
  'basic.qos': [60, 10, 'prefetchSize:long prefetchCount:short global:bit'],
  'basic.qosOk': [60, 11, ''],
  'basic.consume': [
    60,
    20,
    'ticket:short queue:shortstr consumerTag:shortstr noLocal:bit noAck:bit exclusive:bit nowait:bit arguments:table',
  ],
  'basic.consumeOk': [60, 21, 'consumerTag:shortstr'],
  'basic.cancel': [60, 30, 'consumerTag:shortstr nowait:bit'],
  'basic.cancelOk': [60, 31, 'consumerTag:shortstr'],
  'basic.publish': [60, 40, 'ticket:short exchange:shortstr routingKey:shortstr mandatory:bit immediate:bit'],
  'basic.return': [60, 50, 'replyCode:short replyText:shortstr exchange:shortstr routingKey:shortstr'],
  'basic.deliver': [
    60,
    60,
    'consumerTag:shortstr deliveryTag:longlong redelivered:bit exchange:shortstr routingKey:shortstr',
  ],
  'basic.get': [60, 70, 'ticket:short queue:shortstr noAck:bit'],
  'basic.getOk': [
    60,
    71,
    'deliveryTag:longlong redelivered:bit exchange:shortstr routingKey:shortstr messageCount:long',
  ],
  'basic.getEmpty': [60, 72, 'reserved1:shortstr'],
  'basic.ack': [60, 80, 'deliveryTag:longlong multiple:bit'],
  'basic.reject': [60, 90, 'deliveryTag:longlong requeue:bit'],
  'basic.recoverAsync': [60, 100, 'requeue:bit'],
  'basic.recover': [60, 110, 'requeue:bit'],
  'basic.recoverOk': [60, 111, ''],
  'basic.nack': [60, 120, 'deliveryTag:longlong multiple:bit requeue:bit'],
  'confirm.select': [85, 10, 'nowait:bit'],
  'confirm.selectOk': [85, 11, ''],
  'tx.select': [90, 10, ''],
  'tx.selectOk': [90, 11, ''],
  'tx.commit': [90, 20, ''],
  'tx.commitOk': [90, 21, ''],
  'tx.rollback': [90, 30, ''],
  'tx.rollbackOk': [90, 31, ''],
} as const satisfies Record<string, MethodRow>;

/** Name of a method, for example `queue.declare`. */
export type MethodName = keyof typeof METHODS;

type ParseArguments<S extends string> = S extends `${infer Head} ${infer Rest}`
  ? ParseArguments<Head> & ParseArguments<Rest>
  : S extends `${infer Name}:${infer Type extends ArgumentType}`
    ? Readonly<Record<Name, ArgumentValues[Type]>>
    : unknown;

/** The arguments of one method, derived from its row. */
export type MethodArguments<M extends MethodName> = ParseArguments<(typeof METHODS)[M][2]>;

/** The properties of class basic in the order of their flag bits, highest bit (15) first (section 4.2.6.1). */
export const BASIC_PROPERTIES = [
  ['contentType', 'shortstr'],
  ['contentEncoding', 'shortstr'],
  ['headers', 'table'],
  ['deliveryMode', 'octet'],
  ['priority', 'octet'],
  ['correlationId', 'shortstr'],
  ['replyTo', 'shortstr'],
  ['expiration', 'shortstr'],
  ['messageId', 'shortstr'],
  ['timestamp', 'longlong'],
  ['type', 'shortstr'],
  ['userId', 'shortstr'],
  ['appId', 'shortstr'],
  ['clusterId', 'shortstr'],
] as const;

/** Frame types, the frame end octet and the fixed sizes of section 4.2.3. */
export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8, end: 0xce, overhead: 8, minSize: 4096 } as const;

/** Class id of basic, which every content header names. */
export const BASIC_CLASS = 60;

/** The eight octets that open a connection (section 4.2.2). */
export const PROTOCOL_HEADER: Buffer = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');

/** One number for a method: class id in the upper 16 bits. */
export function methodKey(classId: number, methodId: number): number {
  return classId * 0x10000 + methodId;
}
