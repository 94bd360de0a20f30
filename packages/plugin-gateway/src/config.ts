import { z } from '@it-chain/contracts';
import { ApiConfig } from './api/api-config.js';
import { BusServerConfig } from './bus/bus-server-config.js';
import { PeersConfig } from './transport/peers-config.js';

/** The section of the gateway: the door for nodes, the door for clients, and the embedded server of the bus. */
export const GatewayConfig = z
  .strictObject({ peers: PeersConfig, api: ApiConfig, busServer: BusServerConfig })
  .prefault({});
export type GatewayConfig = z.output<typeof GatewayConfig>;
