import { ApplicationState, SparseTree, utf8 } from '@it-chain/contracts';
import type { AnswerOf, Application, RequestOf, Storage } from '@it-chain/contracts';

type Request<C extends keyof Application> = RequestOf<Application, C>;
type Answer<C extends keyof Application> = Promise<AnswerOf<Application, C>>;
const NAME = /^[a-z0-9-]{1,32}$/;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Counts: a transaction is the name of a counter, and adds one to it. The root is that of a tree, so a count has a proof. */
export class Tally implements Application {
  readonly #state: ApplicationState;

  constructor(
    readonly options: { readonly maxNameBytes: number },
    storage: Storage,
  ) {
    this.#state = new ApplicationState({ storage });
  }

  async info(): Answer<'info'> {
    return { name: 'my-plugin/1', emptyRoot: SparseTree.EMPTY.root };
  }

  async check({ transactions }: Request<'check'>): Answer<'check'> {
    const ok = (name: Uint8Array): boolean => name.length <= this.options.maxNameBytes && NAME.test(text(name));
    const refused = { ok: false, code: 'ERR_TALLY_NAME', reason: 'a name is made of a-z, 0-9 and -' };
    return {
      verdicts: transactions.map(({ payload }) => (ok(payload) ? { ok: true, code: '', reason: '' } : refused)),
    };
  }

  /** The same on every node: a function of the state at `previousRoot` and the transactions, and of nothing else. */
  async execute({ transactions, previousRoot }: Request<'execute'>, call?: object): Answer<'execute'> {
    const draft = await this.#state.draft(previousRoot, call);
    const receipts = transactions.map(({ id, payload }) => {
      if (!NAME.test(text(payload))) return { id, code: 1, output: utf8(''), message: 'not a name' };
      const count = utf8(String(Number(text(draft.get(payload) ?? utf8('0'))) + 1));
      draft.set(payload, count);
      return { id, code: 0, output: count, message: '' };
    });
    return { receipts, ...draft.finish() };
  }

  /** The one question: the count of the name in `data`. */
  async query({ data, root, prove }: Request<'query'>, call?: object): Answer<'query'> {
    const state = await this.#state.at(root, call);
    const count = state.get(data);
    const proof = prove ? state.prove(data) : utf8('');
    return { found: count !== undefined, data: count ?? utf8('0'), proof, code: 0 };
  }
}
