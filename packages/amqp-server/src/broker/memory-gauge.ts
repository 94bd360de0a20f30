/**
 * Counts the octets held in messages against a watermark. Crossing it raises the alarm; the alarm ends at nine tenths
 * of the watermark, so that it does not flap with every message.
 */
export class MemoryGauge {
  /** Octets counted now. */
  used = 0;
  /** Whether publishers have to wait. */
  alarm = false;
  readonly #watermark: number;
  readonly #onChange: (alarm: boolean) => void;

  constructor(watermark: number, onChange: (alarm: boolean) => void) {
    this.#watermark = watermark;
    this.#onChange = onChange;
  }

  add(octets: number): void {
    this.used += octets;
    if (!this.alarm && this.used > this.#watermark) this.#set(true);
  }

  subtract(octets: number): void {
    this.used -= octets;
    if (this.alarm && this.used < this.#watermark * 0.9) this.#set(false);
  }

  #set(alarm: boolean): void {
    this.alarm = alarm;
    this.#onChange(alarm);
  }
}
