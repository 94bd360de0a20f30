import {
  ApplicationState,
  SPARSE_EMPTY,
  stateKey,
  type Application,
  type ApplicationCheck,
  type ApplicationInfo,
  type ApplicationVerdicts,
  type Call,
  type ExecuteAnswer,
  type ExecuteRequest,
  type Infer,
  type QueryAnswer,
  type QueryRequest,
  type Receipt,
  type Storage,
} from '@it-chain/contracts';
import { NOTARY_CODES, NotaryRecord, readRegister } from './operation.js';

const NOTHING = new Uint8Array(0);

/** The key of a document's record in the state. */
export const recordKey = (hash: Uint8Array): Uint8Array => stateKey('d', hash);

/** The application role: who had which document first, and when. */
export class NotaryApplication implements Application {
  readonly #state: ApplicationState;

  constructor(dependencies: { readonly storage: Storage }) {
    this.#state = new ApplicationState(dependencies);
  }

  info(): Promise<Infer<typeof ApplicationInfo>> {
    return Promise.resolve({ name: 'notary/1', emptyRoot: SPARSE_EMPTY });
  }

  check({ transactions }: Infer<typeof ApplicationCheck>): Promise<Infer<typeof ApplicationVerdicts>> {
    const verdicts = transactions.map(({ payload }) => {
      const read = readRegister(payload);
      return 'refused' in read
        ? { ok: false, code: 'ERR_NOTARY_MALFORMED', reason: read.refused }
        : { ok: true, code: '', reason: '' };
    });
    return Promise.resolve({ verdicts });
  }

  /** The time is the block's: the only clock that all nodes share. */
  async execute(
    { height, time, transactions, previousRoot }: Infer<typeof ExecuteRequest>,
    call?: Call,
  ): Promise<ExecuteAnswer> {
    const draft = await this.#state.draft(previousRoot, call);
    const receipts = transactions.map(({ id, sender, payload }): Receipt => {
      const read = readRegister(payload);
      if ('refused' in read) return { id, code: NOTARY_CODES.malformed, output: NOTHING, message: read.refused };
      const key = recordKey(read.hash);
      const known = draft.get(key);
      if (known !== undefined) {
        return { id, code: NOTARY_CODES.known, output: known, message: 'the document is registered already' };
      }
      const record = NotaryRecord.encode({ owner: sender, height, time, label: read.label });
      draft.set(key, record);
      return { id, code: NOTARY_CODES.done, output: record, message: '' };
    });
    return { receipts, ...draft.finish() };
  }

  /** `record` of the hash in `data`: an encoded {@link NotaryRecord}. */
  async query({ path, data, prove, root }: Infer<typeof QueryRequest>, call?: Call): Promise<QueryAnswer> {
    if (path !== 'record' || data.length !== 32) {
      return { found: false, data: NOTHING, proof: NOTHING, code: NOTARY_CODES.malformed };
    }
    const state = await this.#state.at(root, call);
    const record = state.get(recordKey(data));
    const proof = prove ? state.prove(recordKey(data)) : NOTHING;
    return { found: record !== undefined, data: record ?? NOTHING, proof, code: 0 };
  }
}
