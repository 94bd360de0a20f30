/** A number that only grows. Names end in `_total`. */
export interface Counter {
  /** Adds `amount`, 1 by default; never negative. */
  add(amount?: number, labels?: Readonly<Record<string, string>>): void;
}
/** A number that goes up and down. */
export interface Gauge {
  /** Sets the value that is told. */
  set(value: number, labels?: Readonly<Record<string, string>>): void;
}
/** A distribution, in base units (seconds, bytes). */
export interface Histogram {
  /** Counts one observation, in the unit that the name ends with. */
  observe(value: number, labels?: Readonly<Record<string, string>>): void;
}

/** Makes metrics. Names are snake case and begin with the plugin's area: `txpool_size`. Asking twice gives the same one. */
export interface Metrics {
  /** A counter of this name, made at the first call. Its name ends in `_total`. */
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /** A gauge of this name, made at the first call. */
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** A histogram of this name with upper bounds of buckets, made at the first call. */
  histogram(
    name: string,
    help: string,
    options?: { readonly buckets?: readonly number[]; readonly labels?: readonly string[] },
  ): Histogram;
  /** All metrics of this process as Prometheus text. */
  text(): Promise<string>;
}
