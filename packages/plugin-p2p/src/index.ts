export { decideFounding, type Direction, type FoundingDecision, type NetworkView } from './decide-founding.js';
export { dialPause, type DialPauseOptions } from './dial-pause.js';
export { P2pConfig } from './p2p-config.js';
export type { P2pDependencies } from './p2p-dependencies.js';
export { P2pNode } from './p2p-node.js';
export { p2pPlugin, p2pPlugin as default } from './p2p-plugin.js';
