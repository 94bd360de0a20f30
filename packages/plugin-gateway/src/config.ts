import { z } from '@it-chain/contracts';
import { ApiConfig } from './api/api-config.js';
import { PeersConfig } from './transport/peers-config.js';

/** The section of the gateway: the door for nodes and the door for clients. */
export const GatewayConfig = z.strictObject({ peers: PeersConfig, api: ApiConfig }).prefault({});
export type GatewayConfig = z.output<typeof GatewayConfig>;
