/** The gateway plugin: the node's bus, its peer sessions and its client API. @packageDocumentation */
import { gatewayPlugin } from './gateway-plugin.js';

export { gatewayPlugin };
export { GatewayConfig } from './config.js';
export { PeersConfig, PeerLimits } from './transport/peers-config.js';
export { PeerTransport, type PeerTransportDependencies } from './transport/peer-transport.js';
export default gatewayPlugin;
