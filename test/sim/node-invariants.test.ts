import { expect } from 'chai';
import {
  keyPairFromSeed,
  sha256,
  signBytes,
  utf8,
  voteSigningBytes,
  type ChainTip,
  type KeyPair,
} from '@it-chain/contracts';
import { NodeInvariants, type Message } from '@it-chain/testkit';

const network = sha256(utf8('network'));
const digestOf = (name: string): Uint8Array => sha256(utf8(name));
const keys = ['a', 'b', 'c', 'd'].map((name) => keyPairFromSeed(digestOf(name)));
const validators = { validators: keys.map(({ publicKey }, sequence) => ({ publicKey, sequence })) };
const genesis: ChainTip = {
  network,
  height: 0,
  digest: network,
  stateRoot: digestOf('state'),
  rootCertified: true,
  time: 0,
  proposer: keys[0]?.publicKey ?? network,
  proposerSequence: 0,
  validators,
  nextValidators: validators,
  learners: [],
  systemRoot: digestOf('system'),
  applicationRoot: digestOf('application'),
  growth: undefined,
};

function commit(by: KeyPair | undefined, name: string, round = 0): Message {
  if (by === undefined) throw new RangeError('no such key');
  const vote = { type: 'commit', height: 1, round, digest: digestOf(name) } as const;
  const signature = signBytes(voteSigningBytes(network, vote), by.secretKey);
  return { kind: 'commit', vote: { ...vote, signer: by.publicKey, signature } };
}

describe('oneCertificate over what nodes say', () => {
  let invariants: NodeInvariants;
  const say = (...messages: Message[]): void => {
    for (const message of messages) invariants.onMessage(network, message);
  };
  beforeEach(() => {
    invariants = new NodeInvariants();
    invariants.onTip(0, genesis);
  });

  it('two quorums for two blocks of one height, though no node has put either together', () => {
    say(...[0, 1, 2].map((at) => commit(keys[at], 'one')));
    expect(() => say(...[1, 2, 3].map((at) => commit(keys[at], 'other', 1)))).to.throw('oneCertificate');
  });

  it('a quorum for another block than one that was told', () => {
    invariants.onTold(0, { height: 1, digest: digestOf('one'), transactions: [] });
    expect(() => say(...[0, 1, 2].map((at) => commit(keys[at], 'other')))).to.throw('oneCertificate');
  });

  it('votes that come before anybody knows the validators', () => {
    invariants = new NodeInvariants();
    say(...[0, 1, 2].map((at) => commit(keys[at], 'one')), ...[0, 1, 3].map((at) => commit(keys[at], 'other', 1)));
    expect(() => invariants.onTip(0, genesis)).to.throw('oneCertificate');
  });

  it('neither fewer than a quorum, nor one validator often, nor strangers, nor false signatures', () => {
    say(...[0, 1, 2].map((at) => commit(keys[at], 'one')));
    say(commit(keys[0], 'other'), commit(keys[0], 'other'), commit(keys[3], 'other'));
    say(commit(keyPairFromSeed(digestOf('stranger')), 'other'));
    const forged = commit(keys[1], 'other');
    if (forged.kind !== 'commit') throw new RangeError('no commit');
    say({ kind: 'commit', vote: { ...forged.vote, signature: new Uint8Array(64) } });
    expect(() => say(commit(keys[1], 'other'))).to.throw('oneCertificate');
  });
});
