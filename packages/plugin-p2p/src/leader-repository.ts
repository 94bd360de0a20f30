import {
  P2p,
  nodeIdOf,
  sameBytes,
  type Infer,
  type Leader,
  type NoticeDefinition,
  type RoundChanged,
} from '@it-chain/contracts';
import type { P2pStore } from './p2p-store.js';

/** What the repository needs around it. */
export interface LeaderRepositoryDependencies {
  readonly store: P2pStore;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
}

const NONE: Leader = { nodeId: '', height: 0, round: 0 };

/** Who leads: what consensus last said, also across a restart, and nobody before founding. */
export class LeaderRepository {
  readonly #dependencies: LeaderRepositoryDependencies;
  #leader: Leader = NONE;

  constructor(dependencies: LeaderRepositoryDependencies) {
    this.#dependencies = dependencies;
  }

  get leader(): Leader {
    return this.#leader;
  }

  restore(stored: Leader | undefined): void {
    this.#leader = stored ?? NONE;
  }

  /** Another network: its leader is not known yet. The store forgot the old one in the same write. */
  forget(): void {
    this.#leader = NONE;
  }

  /** Takes what consensus says. A leader of an older height or round is no news. True where it is another one. */
  async update({ height, round, leader }: Infer<typeof RoundChanged>): Promise<boolean> {
    const known = this.#leader;
    if (height < known.height || (height === known.height && round < known.round)) return false;
    const another = known.publicKey === undefined || !sameBytes(known.publicKey, leader);
    this.#leader = { publicKey: leader, nodeId: nodeIdOf(leader), height, round };
    if (!another) return false;
    await this.#dependencies.store.keepLeader(this.#leader);
    await this.#dependencies.emit(P2p.events.leaderUpdated, this.#leader);
    return true;
  }
}
