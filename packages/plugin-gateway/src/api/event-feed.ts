import { catalogue, failure, type AnyNotice, type PluginContext } from '@it-chain/contracts';

/** An event of the node's bus as the followers of the API get it. */
export interface FeedEvent {
  /** `block.committed`, without the version. */
  readonly name: string;
  readonly body: unknown;
  /** When it was told, in ms since the epoch. */
  readonly timestamp: number;
}

export type FeedListener = (event: FeedEvent) => void;

/** Every event of the catalogue; transient messages are for the protocol, not for clients. */
export const followableEvents: readonly AnyNotice[] = catalogue
  .flatMap((role) => Object.values(role.events))
  .filter((notice) => notice.kind === 'event');

const names: readonly string[] = followableEvents.map(({ name }) => name);

/** Nobody would ever hear of an event that does not exist. @throws ERR_API_UNKNOWN_EVENT */
export function checkEventNames(wanted: readonly string[]): void {
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw failure('ERR_API_UNKNOWN_EVENT', `there is no event "${unknown.slice(0, 100)}"`, {
    hint: `The events are: ${names.join(', ')}.`,
  });
}

/**
 * Hands the events of the bus to whoever follows them now. Listening to the bus is declared in `setup`, followers come and
 * go later, so this stands between them. A listener only notes what it got: it never waits and never throws.
 */
export class EventFeed {
  readonly #listeners = new Set<FeedListener>();

  /** Listens to the bus. Called once, in the plugin's `setup`. */
  register(context: Pick<PluginContext, 'onAny' | 'clock'>): void {
    context.onAny(followableEvents, (name, body, meta) => {
      this.tell({ name: name.replace(/\.v\d+$/, ''), body, timestamp: meta.timestamp ?? context.clock.now() });
    });
  }

  /** Passes an event on. */
  tell(event: FeedEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Adds a follower; the result removes it. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  get followers(): number {
    return this.#listeners.size;
  }
}
