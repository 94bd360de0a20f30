import { BlockLog, failure, validatorIndex } from '@it-chain/contracts';
import type { Chain, ChainTip, DecisionEngine, Identity, NodeIdentity, Storage } from '@it-chain/contracts';

/** What it calls. */
export interface Roles {
  readonly chain: Chain;
  readonly identity: Identity;
  readonly storage: Storage;
}

/** Consensus where this node is the only validator: what waits becomes a block with its one signature. */
export class OneDecides implements DecisionEngine {
  readonly #log: BlockLog;

  constructor(
    readonly self: NodeIdentity,
    readonly roles: Roles,
  ) {
    this.#log = new BlockLog(roles);
  }

  async decide(tip: ChainTip): Promise<boolean> {
    const { length } = tip.nextValidators.validators;
    if (length !== 1 || validatorIndex(tip.nextValidators, this.self.publicKey) !== 0) {
      throw failure('ERR_CONSENSUS_NOT_SOLO', `this engine decides alone; the network has ${length} validators`);
    }
    // In the log before it is signed: after a crash the same block is signed again, never another one.
    const built = await this.#log.next(tip);
    if (built === undefined) return false;
    const [height, digest] = [tip.height + 1, built.digest];
    const vote = { type: 'commit' as const, height, round: 0, digest };
    const { signature } = await this.roles.identity.signVote({ network: tip.network, vote });
    const certificate = { height, round: 0, digest, seals: [{ validator: 0, signature }] };
    const decided = { height, digest, certificate, block: built.block };
    await this.roles.chain.commit({ ...decided, clearLogBelow: height + 1, sync: true });
    return true;
  }
}
