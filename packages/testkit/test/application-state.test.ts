import { expect } from 'chai';
import {
  ApplicationState,
  SPARSE_EMPTY,
  sha256,
  stateKey,
  toHex,
  utf8,
  type ApplicationWrite,
} from '@it-chain/contracts';
import { MemoryStorage } from '@it-chain/testkit';

describe('ApplicationState', () => {
  let storage: MemoryStorage;
  let state: ApplicationState;
  beforeEach(() => {
    storage = new MemoryStorage();
    state = new ApplicationState({ storage });
  });

  const commit = (writes: readonly ApplicationWrite[]): Promise<unknown> =>
    storage.write({
      writes: writes.map((write) => ({ namespace: 'app' as const, ...write })),
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
  const block = async (from: Uint8Array, entries: Readonly<Record<string, string | undefined>>) => {
    const draft = await state.draft(from);
    for (const [key, value] of Object.entries(entries)) {
      draft.set(stateKey('k', utf8(key)), value === undefined ? undefined : utf8(value));
    }
    return draft.finish();
  };
  const read = async (root: Uint8Array, key: string, of = state): Promise<string | undefined> => {
    const value = (await of.at(root)).get(stateKey('k', utf8(key)));
    return value === undefined ? undefined : Buffer.from(value).toString();
  };

  it('writes what changed, in the order of keys, and nothing else', async () => {
    const first = await block(SPARSE_EMPTY, { b: '2', a: '1', c: undefined });
    expect(first.writes.map(({ key }) => Buffer.from(key).toString())).to.deep.equal(['k/a', 'k/b']);
    await commit(first.writes);
    const second = await block(first.root, { a: '1', b: undefined });
    expect(second.writes.map(({ key, value }) => [Buffer.from(key).toString(), value])).to.deep.equal([
      ['k/b', undefined],
    ]);
  });

  it('is read from the store after a restart, also over many pages', async () => {
    const entries = Object.fromEntries(Array.from({ length: 2_500 }, (_, index) => [`key ${index}`, `${index}`]));
    const { root, writes } = await block(SPARSE_EMPTY, entries);
    await commit(writes);
    const again = new ApplicationState({ storage });
    expect(await read(root, 'key 2499', again)).to.equal('2499');
    expect(toHex((await again.at(root)).root)).to.equal(toHex(root));
  });

  it('follows whichever block was committed, not the one it executed last', async () => {
    const ours = await block(SPARSE_EMPTY, { a: 'ours' });
    const other = new ApplicationState({ storage });
    const draft = await other.draft(SPARSE_EMPTY);
    draft.set(stateKey('k', utf8('a')), utf8('theirs'));
    const theirs = draft.finish();
    await commit(theirs.writes);
    expect(await read(theirs.root, 'a')).to.equal('theirs');
    expect(toHex(ours.root)).to.not.equal(toHex(theirs.root));
  });

  it('refuses a root that it has never had, so that it is asked again', async () => {
    const error = await state.at(sha256(utf8('never'))).then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; retryable: boolean },
    );
    expect(error).to.deep.include({ code: 'ERR_APPLICATION_STALE_ROOT', retryable: true });
  });

  it('keeps a few states, not all that ever were', async () => {
    const roots: Uint8Array[] = [SPARSE_EMPTY];
    for (let index = 0; index < 20; index += 1) {
      const { root } = await block(roots.at(-1) ?? SPARSE_EMPTY, { a: `${index}` });
      roots.push(root);
    }
    const codes = await Promise.all(
      roots.slice(1).map((root) =>
        state.at(root).then(
          () => 'kept',
          () => 'gone',
        ),
      ),
    );
    expect(codes.filter((code) => code === 'kept')).to.have.length(8);
  });
});
