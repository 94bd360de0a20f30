import { Block, headerDigest } from '../data/block.js';
import { heightKey } from '../data/keyspace.js';
import { validatorSetHash } from '../data/validator-set.js';
import type { AnswerOf } from '../plugin/role.js';
import type { Chain, ChainTip } from '../roles/chain.js';
import type { Storage } from '../roles/storage.js';
import { message, nested, sameBytes } from '../schema/index.js';

const LoggedBlock = message('LoggedBlock', { block: nested(1, Block) });

/** What the log works with. */
export interface BlockLogDependencies {
  readonly chain: Chain;
  readonly storage: Storage;
}

/**
 * The block that this node signs for the open height: it is in the keyspace `wal`, synced, before it is signed. A crash
 * between the signature and the commit would otherwise make another block of the same height, which the signing guard
 * refuses. `chain.commit` clears the log (`clearLogBelow`).
 */
export class BlockLog {
  readonly #with: BlockLogDependencies;

  constructor(dependencies: BlockLogDependencies) {
    this.#with = dependencies;
  }

  /**
   * The block of the height after `tip`: the one in the log, or a new one of what waits, which is in the log now.
   * Undefined where there is nothing to decide: nothing waits that can be taken, and no empty block is needed.
   */
  async next(tip: ChainTip): Promise<AnswerOf<Chain, 'build'> | undefined> {
    const key = heightKey(tip.height + 1);
    const { values } = await this.#with.storage.read({ namespace: 'wal', keys: [key] });
    const logged = values[0]?.value;
    if (logged !== undefined) {
      const { block } = LoggedBlock.decode(logged);
      return { block, digest: headerDigest(block.header, tip.network) };
    }
    const built = await this.#with.chain.build({ height: tip.height + 1 });
    if (built.block.transactions.length === 0 && !needsBlock(tip)) return undefined;
    const writes = [{ namespace: 'wal' as const, key, value: LoggedBlock.encode({ block: built.block }) }];
    await this.#with.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    return built;
  }
}

/** True where also an empty block has work to do: the last root is not certified yet, or the validators are changing. */
export const needsBlock = ({ rootCertified, validators, nextValidators }: ChainTip): boolean =>
  !rootCertified || !sameBytes(validatorSetHash(validators), validatorSetHash(nextValidators));
