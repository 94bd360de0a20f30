import {
  certificateChecks,
  headerDigest,
  isItChainError,
  type Certificate,
  type ChainTip,
  type ValidatorSet,
} from '@it-chain/contracts';
import { thrown } from './invariants.js';
import type { Keyring } from './keyring.js';
import type { Message, Vote } from './machine.js';
import { SIMULATED_NETWORK, type CommittedBlock } from './stub-chain.js';

interface Verdict {
  readonly certificate: Certificate;
  readonly set: ValidatorSet;
  readonly holds: boolean;
}

/** What the driver does before the machine sees a message: signatures and certificates, by the code that is shipped. */
export class Gate {
  readonly #keyring: Keyring;
  readonly #votesIn: (message: Message) => readonly Vote[];
  /** The last verdict on the certificate of a block: the nodes of a run share both. */
  readonly #verdicts = new WeakMap<CommittedBlock['block'], Verdict>();

  constructor(keyring: Keyring, votesIn: (message: Message) => readonly Vote[]) {
    this.#keyring = keyring;
    this.#votesIn = votesIn;
  }

  /** May the machine of a node at this tip see the message? */
  admits(tip: ChainTip, message: Message): boolean {
    if (message.kind === 'decided') {
      const { height } = message.certificate;
      // Below the open height it is only compared with what is committed here: the invariants do that for all nodes.
      return height > tip.height && height <= tip.height + 2 && this.isCertified(tip, message);
    }
    return this.#votesIn(message).every((vote) => this.#keyring.verifyVote(vote));
  }

  /** Does the certificate prove the block, at one of the two heights above the tip? */
  isCertified(tip: ChainTip, committed: CommittedBlock): boolean {
    const { block, certificate } = committed;
    const set = certificate.height === tip.height + 1 ? tip.validators : tip.nextValidators;
    const known = this.#verdicts.get(block);
    if (known?.certificate === certificate && known.set === set) return known.holds;
    const holds = this.#verify(committed, set);
    this.#verdicts.set(block, { certificate, set, holds });
    return holds;
  }

  #verify({ block, certificate }: CommittedBlock, set: ValidatorSet): boolean {
    try {
      const digest = headerDigest(block.header, SIMULATED_NETWORK);
      const checks = certificateChecks(certificate, SIMULATED_NETWORK, set, digest);
      return checks.every((check) => this.#keyring.verify(check.publicKey, check.message, check.signature));
    } catch (error) {
      if (isItChainError(error)) return false;
      throw thrown(error, 'the check of a certificate');
    }
  }
}
