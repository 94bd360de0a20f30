import { toHex } from '@it-chain/contracts';
import type { CoreMail } from './core-mail.js';
import type { CoreWorld } from './core-world.js';
import type { LogRecord, Vote } from './machine.js';
import type { SimulatedProcess } from './process.js';

/** The barrier: one record at a time is signed and written, then sent, then counted. */
export class CoreOutbox<State> {
  readonly #world: CoreWorld<State>;
  readonly #mail: CoreMail<State>;

  constructor(world: CoreWorld<State>, mail: CoreMail<State>) {
    this.#world = world;
    this.#mail = mail;
  }

  /** Goes on with what waits in the outbox of a process. */
  pump(node: SimulatedProcess<State>): void {
    const world = this.#world;
    if (node.outboxBusy) return;
    const next = node.outbox.shift();
    if (next === undefined) return;
    node.outboxBusy = true;
    const finish = (): void => {
      node.outboxBusy = false;
      this.pump(node);
    };
    const { message } = next.record;
    if (message.vote.height <= node.tip.height) {
      finish();
      return;
    }
    if (!this.#maySign(node, message.vote)) {
      world.moments.later(node, () => {
        const { height, round } = message.vote;
        world.input(node, { type: 'refused', kind: message.kind, height, round });
        finish();
      });
      return;
    }
    const record = { ...next.record, message: { ...message, vote: world.keyring.signVote(message.vote) } } as LogRecord;
    world.write(
      node,
      () => node.appendRecord(record),
      () => {
        this.#mail.send(node, next.to, record.message, 0);
        world.input(node, { type: 'signed', record });
        finish();
      },
    );
  }

  /** The signing guard: durable before the signature is given out. */
  #maySign(node: SimulatedProcess<State>, vote: Pick<Vote, 'type' | 'height' | 'round' | 'digest'>): boolean {
    if (!this.#world.guard) return true;
    const slot = `${vote.type}/${vote.height}/${vote.round}`;
    const digest = toHex(vote.digest);
    const known = node.guard.get(slot);
    if (known === undefined) node.guard.set(slot, digest);
    return known === undefined || known === digest;
  }
}
