export { txpoolPlugin } from './txpool-plugin.js';
export { txpoolPlugin as default } from './txpool-plugin.js';
export { TxPoolConfig } from './txpool-config.js';
