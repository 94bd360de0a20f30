import client from 'prom-client';
import type { Metrics } from '@it-chain/contracts';

/** Gauges of the library that end in `_total`, which the rules of Prometheus keep for counters. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * Percentiles of the delay of the event loop: the library's monitor fires a timer every 10 ms for them, which wakes an
 * idle process a hundred times a second. The delay at the moment of the question is told still.
 */
const MONITORED = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (kind) => `nodejs_eventloop_lag_${kind}_seconds`,
);
/** Pause between two beats of that monitor, in ms. It cannot be left out. */
const MONITOR_MS = 3_600_000;

/** Seconds, from half a millisecond to ten seconds. */
const DEFAULT_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** Metrics of one process on a registry of its own, with those of Node and the process. Close it when the node stops. */
export interface ProcessMetrics extends Metrics {
  /** Forgets every metric and ends the library's observers. */
  close(): void;
}

/** Makes the metrics of a process. Asking twice for one name gives the same metric, whatever its help text. */
export function createMetrics(): ProcessMetrics {
  const registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: MONITOR_MS });
  for (const name of [...MISNAMED, ...MONITORED]) registry.removeSingleMetric(name);

  return {
    counter(name, help, labels = []) {
      const counter =
        (known(registry, name) as client.Counter | undefined) ??
        new client.Counter(common(registry, name, help, labels));
      return {
        add: (amount = 1, values) => {
          if (values === undefined) counter.inc(amount);
          else counter.inc(values, amount);
        },
      };
    },
    gauge(name, help, labels = []) {
      const gauge =
        (known(registry, name) as client.Gauge | undefined) ?? new client.Gauge(common(registry, name, help, labels));
      return {
        set: (value, values) => {
          if (values === undefined) gauge.set(value);
          else gauge.set(values, value);
        },
      };
    },
    histogram(name, help, { buckets = DEFAULT_BUCKETS, labels = [] } = {}) {
      const histogram =
        (known(registry, name) as client.Histogram | undefined) ??
        new client.Histogram({ ...common(registry, name, help, labels), buckets: [...buckets] });
      return {
        observe: (value, values) => {
          if (values === undefined) histogram.observe(value);
          else histogram.observe(values, value);
        },
      };
    },
    text: () => registry.metrics(),
    close: () => {
      registry.clear();
    },
  };
}

function common(
  registry: client.Registry,
  name: string,
  help: string,
  labels: readonly string[],
): { name: string; help: string; labelNames: string[]; registers: client.Registry[] } {
  return { name, help, labelNames: [...labels], registers: [registry] };
}

/** One name has one kind: asking for another one is a mistake of the caller that its first use shows. */
function known(registry: client.Registry, name: string): unknown {
  return registry.getSingleMetric(name);
}
