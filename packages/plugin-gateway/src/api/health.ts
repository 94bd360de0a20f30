import { createRequire } from 'node:module';
import type { NodeInspection } from '@it-chain/contracts';
import type * as HealthCheck from 'grpc-health-check';
import type { CallShape, ServiceTarget } from './lazy-service.js';

/** The methods of the health service. */
export const HEALTH_METHODS: Readonly<Record<string, CallShape>> = {
  '/grpc.health.v1.Health/Check': 'unary',
  '/grpc.health.v1.Health/List': 'unary',
  '/grpc.health.v1.Health/Watch': 'serverStream',
};

type Statuses = Record<string, 'SERVING' | 'NOT_SERVING'>;

/** The health service of gRPC, by plugin name, and of the whole node under the empty name and the name of its service. */
export class Health {
  #statuses: Statuses;
  #service: HealthCheck.HealthImplementation | undefined;

  constructor(inspection: NodeInspection) {
    this.#statuses = statusesOf(inspection);
  }

  /** Tells what has changed. */
  update(inspection: NodeInspection): void {
    this.#tell(statusesOf(inspection));
  }

  /** Tells NOT_SERVING for all: the node stops. */
  stop(): void {
    this.#tell(Object.fromEntries(Object.keys(this.#statuses).map((name) => [name, 'NOT_SERVING'] as const)));
  }

  /** Adds the service; loads what that takes. */
  addTo(target: ServiceTarget): void {
    const { HealthImplementation } = createRequire(import.meta.url)('grpc-health-check') as typeof HealthCheck;
    this.#service = new HealthImplementation(this.#statuses);
    this.#service.addToServer(target as HealthCheckServer);
  }

  #tell(statuses: Statuses): void {
    this.#statuses = statuses;
    for (const [name, state] of Object.entries(statuses)) this.#service?.setStatus(name, state);
  }
}

/** It asks for a whole server and calls `addService` only. */
type HealthCheckServer = Parameters<HealthCheck.HealthImplementation['addToServer']>[0];

function statusesOf({ plugins }: NodeInspection): Statuses {
  const named = Object.fromEntries(
    plugins.map(({ name, health }) => [name, health.state === 'failing' ? 'NOT_SERVING' : 'SERVING'] as const),
  );
  const node = Object.values(named).every((state) => state === 'SERVING') ? 'SERVING' : 'NOT_SERVING';
  return { ...named, '': node, 'itchain.v1.Node': node };
}
