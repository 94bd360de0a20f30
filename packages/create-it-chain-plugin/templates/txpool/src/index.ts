import {
  Application,
  Chain,
  P2p,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  poolSettings,
  serveTxPool,
  z,
} from '@it-chain/contracts';
import { urgentFirst } from './urgent-first.js';

/** The section `with` of the plugin: the limits that every pool has, and what its order needs. */
export const Config = z
  .strictObject({
    ...poolSettings,
    urgentHeights: z.int().min(0).max(10_000).default(10).describe('Heights before its expiry at which one is urgent'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  provides: [TxPool],
  requires: [Storage],
  uses: [Application, Chain, P2p, Transport],
  config: Config,
  setup: (context) => serveTxPool(context, urgentFirst(context.config.urgentHeights)),
});
