export { chainPlugin } from './chain-plugin.js';
export { chainPlugin as default } from './chain-plugin.js';
export { ChainConfig } from './chain-config.js';
