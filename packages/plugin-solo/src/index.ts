export { SoloConsensus, type SoloRoles } from './solo-consensus.js';
export { SoloConfig } from './solo-config.js';
export { soloPlugin } from './solo-plugin.js';
export { soloPlugin as default } from './solo-plugin.js';
