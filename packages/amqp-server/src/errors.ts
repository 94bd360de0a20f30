/** Codes of the errors this package throws. */
export type AmqpServerErrorCode =
  'ERR_AMQP_INSECURE_LISTEN' | 'ERR_AMQP_INVALID_OPTION' | 'ERR_AMQP_LISTEN_FAILED' | 'ERR_AMQP_SERVER_CLOSED';

/** An error of the programming interface: its code, what was wrong, and in `hint` what to do about it. */
export class AmqpServerError extends Error {
  override readonly name = 'AmqpServerError';

  constructor(
    readonly code: AmqpServerErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
