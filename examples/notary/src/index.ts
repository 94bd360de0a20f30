import { Application, Storage, definePlugin, packageVersion } from '@it-chain/contracts';
import { NotaryApplication } from './notary-application.js';

export { NotaryApplication, recordKey } from './notary-application.js';
export { NotaryProof, verifyNotaryProof, type Trust } from './offline-proof.js';
export { NOTARY_CODES, NotaryRecord, Register } from './operation.js';

/** The plugin: the application role as a register of documents. */
export default definePlugin({
  name: 'notary',
  version: packageVersion(import.meta.url),
  provides: [Application],
  requires: [Storage],
  setup(context) {
    context.serve(Application, new NotaryApplication({ storage: context.use(Storage) }));
  },
});
