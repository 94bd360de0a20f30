import {
  ItChainError,
  errorCatalogue,
  failure,
  isItChainError,
  messageOf,
  type PeerGoodbye,
} from '@it-chain/contracts';

/** Text of a peer, made fit for a log line and a terminal. */
export function plainText(text: string, max = 512): string {
  // Control characters are what must not get through.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ').slice(0, max);
}

/** The goodbye of another node as an error: its code where this framework knows it. */
export function errorOfGoodbye(goodbye: PeerGoodbye): ItChainError {
  const known = Object.hasOwn(errorCatalogue, goodbye.code);
  const reason = plainText(goodbye.reason);
  return new ItChainError(known ? goodbye.code : 'ERR_PEER_HANDSHAKE', `the peer ended it: ${reason || goodbye.code}`, {
    data: { toldByPeer: true },
  });
}

/** What the other end is told about an error: its code and message, or nothing of an error that is not of this framework. */
export function goodbyeOfError(error: unknown): PeerGoodbye {
  return isItChainError(error)
    ? { code: error.code, reason: plainText(error.message) }
    : { code: 'ERR_INTERNAL', reason: 'the node failed unexpectedly' };
}

/** An error as one of this framework: what a stream or socket throws becomes ERR_PEER_LOST. */
export function asPeerError(error: unknown): ItChainError {
  return isItChainError(error)
    ? error
    : failure('ERR_PEER_LOST', `the connection broke: ${plainText(messageOf(error))}`, {
        retryable: true,
        cause: error,
      });
}
