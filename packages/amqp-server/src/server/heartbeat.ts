/** Silent half intervals after which a peer counts as dead: two intervals and up to one half more. */
const SILENT_TICKS = 4;

/** Sends heartbeats and notices a silent peer (section 4.2.7), looking twice in each interval. */
export class Heartbeat {
  /** Set by the connection whenever input arrives. */
  heard = false;
  /** While true, silence is not counted: the server itself does not read (flow control). */
  suspended = false;
  #silent = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Starts with an interval in seconds; 0 means no heartbeats. */
  start(seconds: number, send: () => void, dead: () => void): void {
    if (seconds === 0) return;
    this.#timer = setInterval(() => {
      send();
      this.#silent = this.heard || this.suspended ? 0 : this.#silent + 1;
      this.heard = false;
      if (this.#silent > SILENT_TICKS) dead();
    }, seconds * 500);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
