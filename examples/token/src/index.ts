import { Application, Storage, definePlugin, packageVersion } from '@it-chain/contracts';
import { TokenApplication } from './token-application.js';

export { TokenApplication } from './token-application.js';
export { keys, readAmount } from './ledger.js';
export { MAX_SUPPLY, Mint, TOKEN_CODES, TokenOperation, Transfer } from './operation.js';

/** The plugin: the application role as a ledger of balances. */
export default definePlugin({
  name: 'token',
  version: packageVersion(import.meta.url),
  provides: [Application],
  requires: [Storage],
  setup(context) {
    context.serve(Application, new TokenApplication({ storage: context.use(Storage) }));
  },
});
