import {
  type Certificate,
  headerDigest,
  keyPairFromSeed,
  sha256,
  utf8,
  type Block,
  type Seal,
} from '@it-chain/contracts';
import { decodeMessage, type ConsensusMessage, type SignedVote } from '@it-chain/plugin-consensus';
import type { Behaviour, EvilHands, Saying } from './behaviours.js';
import { forgeVote, withHeader } from './forge.js';

type BareVote = Extract<ConsensusMessage, { kind: 'prepare' | 'commit' }>;

const isBare = (content: ConsensusMessage): content is BareVote =>
  content.kind === 'prepare' || content.kind === 'commit';

/** B2: says each PREPARE and COMMIT a second time for another block. */
export function doubleVotes({ keys, did }: EvilHands): Behaviour {
  return {
    speak(content, { network, peers }) {
      const plain = [{ to: peers, content }];
      if (!isBare(content)) return plain;
      did();
      const vote = forgeVote(keys(), network, { ...content.vote, digest: sha256(content.vote.digest) });
      return [...plain, { to: peers, content: { kind: content.kind, vote } }];
    },
  };
}

/** B3: beside each vote says one with a false signature, one of another validator, one of a stranger, one for another network. */
export function badVotes({ keys, did }: EvilHands): Behaviour {
  const stranger = keyPairFromSeed(sha256(utf8('a stranger')));
  let heard: SignedVote | undefined;
  return {
    hear(body) {
      const content = decodeMessage(body)?.content;
      if (content !== undefined && isBare(content)) heard = content.vote;
    },
    speak(content, { network, peers }) {
      const plain: Saying[] = [{ to: peers, content }];
      if (!isBare(content)) return plain;
      const { kind, vote } = content;
      const signature = Uint8Array.from(vote.signature);
      signature[0] = (signature[0] ?? 0) ^ 1;
      const elsewhere = sha256(network);
      const votes: SignedVote[] = [{ ...vote, signature }, forgeVote(stranger, network, vote)];
      if (heard !== undefined) votes.push(heard);
      did(votes.length + 1);
      const lies = votes.map((lie): Saying => ({ to: peers, content: { kind, vote: lie } }));
      const foreign = { kind, vote: forgeVote(keys(), elsewhere, vote) };
      return [...plain, ...lies, { to: peers, content: foreign, network: elsewhere }];
    },
  };
}

/** B5: says that a block of its own was decided, under certificates that prove nothing. */
export function badCertificates({ keys, random, did }: EvilHands): Behaviour {
  return {
    speak(content, { network, peers }) {
      const plain: Saying[] = [{ to: peers, content }];
      if (content.kind !== 'proposal') return plain;
      const { height, round } = content.vote;
      const block: Block = withHeader(content.block, ({ time }) => ({ time: time + 1 }));
      const digest = headerDigest(block.header, network);
      const own = forgeVote(keys(), network, { type: 'commit', height, round, digest }).signature;
      const noise = (): Uint8Array => random(64);
      const lists: readonly (readonly Seal[])[] = [
        [],
        [{ validator: 0, signature: own }],
        // One signer again and again.
        [0, 0, 0].map((validator) => ({ validator, signature: own })),
        // Distinct members, of whom only this node has signed.
        [0, 1, 2].map((validator) => ({ validator, signature: own })),
        [0, 1, 2, 3].map((validator) => ({ validator, signature: noise() })),
        // Validators that this height does not have.
        [7, 8, 9].map((validator) => ({ validator, signature: own })),
      ];
      did(lists.length);
      const lies = lists.map((seals): Saying => {
        const certificate: Certificate = { height, round, digest, seals: [...seals] };
        return { to: peers, content: { kind: 'decided', block, certificate } };
      });
      return [...lies, ...plain];
    },
  };
}
