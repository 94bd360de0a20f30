import { failure } from '@it-chain/contracts';
import type { Session } from './session.js';
import type { Topology } from './topology.js';

/** Task addresses whose queues one bus declares. */
const MAX_ADDRESSES = 1_000;

/** The queues of the tasks this bus sends: declared before the first task and on every new session, so none is lost for want of a queue. */
export class TaskQueues {
  readonly #topology: Topology;
  readonly #declared = new Map<string, Promise<void>>();

  constructor(dependencies: { readonly topology: Topology }) {
    this.#topology = dependencies.topology;
  }

  /**
   * Resolves when the queue of an address is there. Without a session it is at once: the next session declares it before
   * anything is sent.
   * @throws ERR_BUS_FULL, or what the library throws where the broker refuses it
   */
  async ensure(address: string, session: Session | undefined): Promise<void> {
    const known = this.#declared.get(address);
    if (known !== undefined) return known;
    if (this.#declared.size >= MAX_ADDRESSES) {
      throw failure('ERR_BUS_FULL', `this bus sends to ${MAX_ADDRESSES} task addresses already`);
    }
    const declared = session === undefined ? Promise.resolve() : this.#declare(session, address);
    this.#declared.set(address, declared);
    try {
      await declared;
    } catch (error) {
      if (session?.isLost === true) return;
      this.#declared.delete(address);
      throw error;
    }
  }

  /** Declares them all again. */
  async resume(session: Session): Promise<void> {
    for (const address of this.#declared.keys()) {
      await this.#declare(session, address);
      this.#declared.set(address, Promise.resolve());
    }
  }

  async #declare(session: Session, address: string): Promise<void> {
    await session.declare((channel) => channel.assertQueue(this.#topology.taskQueue(address), this.#topology.tasks()));
  }
}
