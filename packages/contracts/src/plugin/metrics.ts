/** A number that only grows. Names end in `_total`. */
export interface Counter {
  add(amount?: number, labels?: Readonly<Record<string, string>>): void;
}
/** A number that goes up and down. */
export interface Gauge {
  set(value: number, labels?: Readonly<Record<string, string>>): void;
}
/** A distribution, in base units (seconds, bytes). */
export interface Histogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void;
}

/** Makes metrics. Names are snake case and begin with the plugin's area: `txpool_size`. Asking twice gives the same one. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  histogram(
    name: string,
    help: string,
    options?: { readonly buckets?: readonly number[]; readonly labels?: readonly string[] },
  ): Histogram;
  /** All metrics of this process as Prometheus text. */
  text(): Promise<string>;
}
