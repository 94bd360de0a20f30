import {
  ApplicationState,
  Genesis,
  SPARSE_EMPTY,
  failure,
  p2pKeys,
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
import { apply, keys } from './ledger.js';
import { TOKEN_CODES, readMovement } from './operation.js';

const NOTHING = new Uint8Array(0);

/** The application role: a ledger of balances. */
export class TokenApplication implements Application {
  readonly #storage: Storage;
  readonly #state: ApplicationState;

  constructor(dependencies: { readonly storage: Storage }) {
    this.#storage = dependencies.storage;
    this.#state = new ApplicationState(dependencies);
  }

  info(): Promise<Infer<typeof ApplicationInfo>> {
    return Promise.resolve({ name: 'token/1', emptyRoot: SPARSE_EMPTY });
  }

  /** Refuses what can never be executed; whether the balance suffices is known only in a block. */
  check({ transactions }: Infer<typeof ApplicationCheck>): Promise<Infer<typeof ApplicationVerdicts>> {
    const verdicts = transactions.map(({ payload }) => {
      const read = readMovement(payload);
      return 'refused' in read
        ? { ok: false, code: 'ERR_TOKEN_MALFORMED', reason: read.refused }
        : { ok: true, code: '', reason: '' };
    });
    return Promise.resolve({ verdicts });
  }

  async execute({ transactions, previousRoot }: Infer<typeof ExecuteRequest>, call?: Call): Promise<ExecuteAnswer> {
    const draft = await this.#state.draft(previousRoot, call);
    const owner = transactions.length === 0 ? NOTHING : await this.#owner(call);
    const receipts = transactions.map(({ id, sender, payload }): Receipt => {
      const movement = readMovement(payload);
      const outcome =
        'refused' in movement
          ? { code: TOKEN_CODES.malformed, message: movement.refused }
          : apply(movement, sender, owner, draft);
      return { id, output: NOTHING, ...outcome };
    });
    return { receipts, ...draft.finish() };
  }

  /** `balance` of the public key in `data`, or `supply`: 8 bytes, big-endian, absent for 0. */
  async query({ path, data, prove, root }: Infer<typeof QueryRequest>, call?: Call): Promise<QueryAnswer> {
    const key =
      path === 'supply' ? keys.supply : path === 'balance' && data.length === 32 ? keys.balance(data) : undefined;
    if (key === undefined) return { found: false, data: NOTHING, proof: NOTHING, code: TOKEN_CODES.malformed };
    const state = await this.#state.at(root, call);
    const value = state.get(key);
    const proof = prove ? state.prove(key) : NOTHING;
    return { found: value !== undefined, data: value ?? NOTHING, proof, code: 0 };
  }

  /** The founder of the network: the same on every node, because the genesis is. */
  async #owner(call: Call | undefined): Promise<Uint8Array> {
    const { values } = await this.#storage.read({ namespace: 'p2p', keys: [p2pKeys.genesis] }, call);
    const genesis = values[0]?.value;
    if (genesis === undefined) throw failure('ERR_NETWORK_UNFOUNDED', 'there is no genesis, so no owner yet');
    return Genesis.decode(genesis).founder;
  }
}
