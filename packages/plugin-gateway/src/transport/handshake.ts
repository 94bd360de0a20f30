import {
  concatBytes,
  failure,
  Hello,
  hasCode,
  NO_NETWORK,
  nodeIdOf,
  PEER_PROTOCOL_VERSION,
  PeerProofContent,
  sameBytes,
  sha256,
  signingBytes,
  type NodeIdentity,
  type PeerChallenge,
  type PeerFrame,
  type PeerProof,
  type SignatureCheck,
} from '@it-chain/contracts';
import type { ControlReader } from './control-reader.js';
import type { LinkFacts, PeerLink } from './peer-link.js';

/** Who was proved to be at the other end. */
export interface Proven {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly nodeId: string;
  readonly hello: Hello;
}

/** What a handshake needs of its node. */
export interface HandshakeDependencies {
  readonly identity: NodeIdentity;
  random(length: number): Uint8Array;
  sign(domain: string, network: Uint8Array, content: Uint8Array): Promise<Uint8Array>;
  verify(checks: readonly SignatureCheck[]): Promise<boolean[]>;
  /** What is told of this node now. */
  hello(): Hello;
}

type End = PeerProofContent['role'];

/** Compares the first frames. @throws ERR_PEER_VERSION, ERR_PEER_SELF, ERR_PEER_WRONG_ID, ERR_PEER_HANDSHAKE */
export function checkChallenge(own: PeerChallenge, theirs: PeerChallenge, pinned: string | undefined): void {
  if (theirs.version !== own.version) {
    throw failure(
      'ERR_PEER_VERSION',
      `this node speaks version ${own.version} of the peer protocol, the other ${theirs.version}`,
    );
  }
  if (sameBytes(own.publicKey, theirs.publicKey)) throw failure('ERR_PEER_SELF', 'this is the node itself');
  if (sameBytes(own.challenge, theirs.challenge))
    throw failure('ERR_PEER_HANDSHAKE', 'the peer sent the challenge back');
  const nodeId = nodeIdOf(theirs.publicKey);
  if (pinned !== undefined && nodeId !== pinned) {
    throw failure('ERR_PEER_WRONG_ID', `node ${nodeId} answered where ${pinned} was expected`);
  }
}

/** What `signer` signs on this connection. */
export function proofContent(
  facts: Pick<LinkFacts, 'security' | 'binding'>,
  signer: End,
  dialer: PeerChallenge,
  listener: PeerChallenge,
  hello: Uint8Array,
): Uint8Array {
  return PeerProofContent.encode({
    version: dialer.version,
    role: signer,
    dialerKey: dialer.publicKey,
    listenerKey: listener.publicKey,
    dialerChallenge: dialer.challenge,
    listenerChallenge: listener.challenge,
    security: facts.security,
    binding: facts.binding,
    helloDigest: sha256(hello),
  });
}

/**
 * Proves this node's key to the other end and has the other end prove its own, bound to this connection.
 * @throws ERR_PEER_VERSION, ERR_PEER_SELF, ERR_PEER_WRONG_ID, ERR_PEER_HANDSHAKE, ERR_PEER_PROTOCOL, ERR_PEER_TIMEOUT,
 *   ERR_PEER_LOST, or the code with which the other end said goodbye
 */
export async function handshake(
  link: PeerLink,
  reader: ControlReader,
  pinned: string | undefined,
  deps: HandshakeDependencies,
): Promise<Proven> {
  const own: PeerChallenge = {
    version: PEER_PROTOCOL_VERSION,
    publicKey: deps.identity.publicKey,
    challenge: deps.random(32),
  };
  link.send({ challenge: own });
  const theirs = expectContent(await reader.next(), 'challenge');
  checkChallenge(own, theirs, pinned);

  const [mine, other]: [End, End] = link.direction === 'outbound' ? ['dialer', 'listener'] : ['listener', 'dialer'];
  const [dialer, listener] = mine === 'dialer' ? [own, theirs] : [theirs, own];
  const hello = Hello.encode(deps.hello());
  const content = proofContent(link, mine, dialer, listener, hello);
  link.send({ proof: { signature: await deps.sign('handshake', NO_NETWORK, content), hello } });

  const proof: PeerProof = expectContent(await reader.next(), 'proof');
  const message = signingBytes('handshake', NO_NETWORK, proofContent(link, other, dialer, listener, proof.hello));
  // A copy, because the frame it lies in is let go.
  const publicKey = concatBytes(theirs.publicKey);
  const [valid] = await deps.verify([{ publicKey, message, signature: proof.signature }]);
  if (valid !== true) {
    throw failure('ERR_PEER_HANDSHAKE', `the peer did not prove that it holds the key of ${nodeIdOf(publicKey)}`);
  }
  return { publicKey, nodeId: nodeIdOf(publicKey), hello: Hello.decode(proof.hello) };
}

/** The content of a frame that must be there. @throws ERR_PEER_PROTOCOL */
export function expectContent<K extends keyof PeerFrame>(frame: PeerFrame, key: K): NonNullable<PeerFrame[K]> {
  const content = frame[key];
  if (content === undefined) throw failure('ERR_PEER_PROTOCOL', `another frame where ${key} was due`);
  return content;
}

/** True for failures of a handshake that an honest peer does not cause. */
export function isBreach(error: unknown): boolean {
  return ['ERR_PEER_HANDSHAKE', 'ERR_PEER_PROTOCOL', 'ERR_PEER_TOO_LARGE', 'ERR_DATA_MALFORMED'].some((code) =>
    hasCode(error, code),
  );
}
