/** The gateway plugin: the node's bus, its peer sessions and its client API. @packageDocumentation */
import { gatewayPlugin } from './gateway-plugin.js';

export { gatewayPlugin };
export { GatewayConfig } from './config.js';
export { AdminAccess } from './api/admin-access.js';
export { ApiConfig } from './api/api-config.js';
export { startClientApi, type ClientApi } from './api/client-api.js';
export { EventFeed } from './api/event-feed.js';
export type { ClientApiDependencies } from './api/handlers/handlers.js';
export { clientApiProto } from './api/reflection.js';
export { PeersConfig, PeerLimits } from './transport/peers-config.js';
export { PeerTransport, type PeerTransportDependencies } from './transport/peer-transport.js';
export default gatewayPlugin;
