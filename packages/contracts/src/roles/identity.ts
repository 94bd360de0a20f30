import { bytes, message, string, type Infer } from '../schema/index.js';
import { command, defineRole, query, type Served } from '../plugin/role.js';
import { VoteContent } from '../data/vote.js';
import { nested } from '../schema/index.js';
import { Nothing } from './common.js';

/** Content to be signed with the key of the node, in a domain and a network (digest of the genesis). */
export const SignRequest = message('SignRequest', {
  /** One of the domains of the signing page, but never `vote`. */
  domain: string(1, { maxLength: 32 }),
  network: bytes(2, { length: 32 }),
  content: bytes(3),
});
/** A vote to be noted in the signing guard and signed. */
export const SignVoteRequest = message('SignVoteRequest', {
  network: bytes(1, { length: 32 }),
  vote: nested(2, VoteContent),
});
/** An Ed25519 signature of 64 bytes (RFC 8032). */
export const Signature = message('Signature', { signature: bytes(1, { length: 64 }) });
/** Who this node is: Ed25519 public key, the node id made from it, and the name of its config. */
export const IdentityAnswer = message('IdentityAnswer', {
  publicKey: bytes(1, { length: 32 }),
  nodeId: string(2, { maxLength: 64 }),
  name: string(3, { maxLength: 64 }),
});
export type IdentityAnswer = Infer<typeof IdentityAnswer>;

/** Served by the kernel in the one process of a node that holds the key and the signing guard. */
export const Identity = defineRole('identity', 1, {
  doc: 'Holds the node key and the signing guard. The key itself never crosses the bus.',
  promises: [
    'I1: a signature is Ed25519 over the domain tag, the network and the content',
    'I2: the domain vote is refused by sign',
    'I3: the same vote asked twice gives the same signature',
    'I4: a different digest for one type, height and round is refused with ERR_IDENTITY_DOUBLE_SIGN, also after a restart',
    'I5: a vote is on disk in the guard before its signature is given out',
  ],
  calls: {
    sign: command({
      name: 'identity.sign',
      doc: 'Signs content for a domain other than vote.',
      in: SignRequest,
      out: Signature,
    }),
    signVote: command({
      name: 'identity.signVote',
      doc: 'Signs a vote after noting it in the guard.',
      in: SignVoteRequest,
      out: Signature,
    }),
    get: query({ name: 'identity.get', doc: 'Who this node is.', in: Nothing, out: IdentityAnswer }),
  },
  events: {},
});
export type Identity = Served<typeof Identity>;
