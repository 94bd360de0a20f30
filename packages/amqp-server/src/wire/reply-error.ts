/** Reply codes of AMQP 0-9-1 section 1.2 (and RabbitMQ), by the name that starts every reply text. */
export const REPLY_CODES = {
  NO_ROUTE: 312,
  NO_CONSUMERS: 313,
  CONNECTION_FORCED: 320,
  INVALID_PATH: 402,
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  RESOURCE_LOCKED: 405,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  RESOURCE_ERROR: 506,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const;

/** Name of a reply code. */
export type ReplyName = keyof typeof REPLY_CODES;

/** Codes after which only the channel is closed; all others end the connection (section 1.2: soft and hard errors). */
const SOFT = new Set<ReplyName>([
  'NO_ROUTE',
  'NO_CONSUMERS',
  'ACCESS_REFUSED',
  'NOT_FOUND',
  'RESOURCE_LOCKED',
  'PRECONDITION_FAILED',
]);

/** Thrown by any handler to make the connection send channel.close or connection.close with this code. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly replyCode: number;
  /** Whether the connection, not only the channel, has to be closed. */
  readonly hard: boolean;

  constructor(reply: ReplyName, text: string, hard = !SOFT.has(reply)) {
    super(`${reply} - ${text}`);
    this.replyCode = REPLY_CODES[reply];
    this.hard = hard;
  }
}

/** Cuts a text to what a short string may hold (255 octets), never inside a character. */
export function shortText(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= 255) return text;
  let end = 252;
  while (end > 0 && (bytes.readUInt8(end) & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}...`;
}
