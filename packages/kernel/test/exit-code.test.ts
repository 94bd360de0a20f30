import { expect } from 'chai';
import { errorCatalogue, failure, type ErrorCode } from '@it-chain/contracts';
import { exitCodeOf } from '@it-chain/kernel';

describe('exit codes', () => {
  const wrapped = (cause: unknown) => failure('ERR_PLUGIN_FAILED', 'the plugin x failed in start', { cause });
  const rows: readonly (readonly [string, unknown, number])[] = [
    ['an unknown error', new Error('x'), 1],
    ['no error at all', undefined, 1],
    ['a wrong config', failure('ERR_CONFIG_INVALID', 'x'), 2],
    ['a plugin that fails', wrapped(new Error('x')), 2],
    ['a broker that is away', failure('ERR_BUS_UNREACHABLE', 'x'), 3],
    ['a node that is away', failure('ERR_CLI_CANNOT_CONNECT', 'x'), 3],
    ['what is not there', failure('ERR_CLI_NOT_FOUND', 'x'), 4],
    ['a refusal', failure('ERR_JOIN_REFUSED', 'x'), 5],
    ['a damaged store behind a plugin', wrapped(failure('ERR_STORAGE_DAMAGED', 'x')), 10],
    ['a full disk behind a plugin', wrapped(Object.assign(new Error('x'), { code: 'ENOSPC' })), 11],
    ['a key that others can read', failure('ERR_IDENTITY_KEY_PERMISSIONS', 'x'), 12],
    ['two votes', failure('ERR_SAFETY_VIOLATION', 'x'), 13],
    ['a directory in use', failure('ERR_STORAGE_IN_USE', 'x'), 14],
    ['a fatal call', { kind: 'damaged', error: new Error('x'), plugin: 'p' }, 10],
    ['a fatal call during the start', failure('ERR_PLUGIN_FAILED', 'x', { data: { kind: 'safety' } }), 13],
  ];
  for (const [title, error, code] of rows) it(`${title} is ${code}`, () => expect(exitCodeOf(error)).to.equal(code));

  it('ends with causes in a circle', () => {
    const error = new Error('x');
    error.cause = error;
    expect(exitCodeOf(error)).to.equal(1);
  });
});

describe('exit codes of the catalogue', () => {
  for (const [code, { when }] of Object.entries<{ when: string }>(errorCatalogue)) {
    const said = /Exit code (\d+)/.exec(when)?.[1];
    if (said === undefined) continue;
    it(`${code} ends the process with ${said}, as its text says`, () => {
      expect(exitCodeOf(failure(code as ErrorCode, 'x'))).to.equal(Number(said));
    });
  }
});
