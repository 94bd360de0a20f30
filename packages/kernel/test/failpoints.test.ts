import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FAILPOINTS, noFailpoint } from '@it-chain/contracts';
import { createFailpoints } from '@it-chain/kernel';

describe('failpoints', () => {
  let ended = 0;
  const make = (value: string | undefined, mode: string | undefined = 'test') =>
    createFailpoints({ NODE_ENV: mode, IT_CHAIN_FAILPOINT: value }, () => (ended += 1));
  beforeEach(() => {
    ended = 0;
  });

  it('are an empty function where the variable is not set', () => {
    expect(make(undefined)).to.deep.equal({ pass: noFailpoint });
    expect(make('')).to.deep.equal({ pass: noFailpoint });
  });

  it('are an empty function, with a warning, outside NODE_ENV=test', () => {
    for (const mode of ['production', 'development', '', 'TEST']) {
      const { pass, notice } = make('vote.after-log', mode);
      expect(pass).to.equal(noFailpoint);
      expect(notice).to.match(/ignored/);
    }
    expect(createFailpoints({ IT_CHAIN_FAILPOINT: 'vote.after-log' }).pass).to.equal(noFailpoint);
  });

  it('end the process at the first pass of the named one, or at the N-th, and say so beforehand', () => {
    const first = make('vote.after-log');
    expect(first.notice).to.match(/must never carry a network/);
    first.pass('vote.after-sign');
    expect(ended).to.equal(0);
    first.pass('vote.after-log');
    expect(ended).to.equal(1);
    const third = make('store.in-batch:3');
    for (let pass = 1; pass <= 5; pass += 1) {
      third.pass('store.in-batch');
      expect(ended).to.equal(pass < 3 ? 1 : 2);
    }
  });

  it('are armed by a file while the process runs, once', () => {
    const dir = mkdtempSync(join(tmpdir(), 'it-chain-failpoint-'));
    const file = join(dir, 'arm');
    const { pass } = make(`@${file}`);
    pass('vote.after-log');
    writeFileSync(file, 'vote.after-log\n');
    pass('vote.after-send');
    expect(existsSync(file), 'the first pass of any takes the file').to.equal(false);
    pass('vote.after-log');
    pass('vote.after-log');
    expect(ended).to.equal(1);
    rmSync(dir, { recursive: true });
  });

  it('refuse a name that is none, and name those that are', () => {
    for (const wrong of ['vote', 'vote.after-log:0', 'vote.after-log:x', 'toString', 'VOTE.after-log']) {
      expect(() => make(wrong)).to.throw(/is no failpoint/);
    }
    expect(Object.keys(FAILPOINTS)).to.have.length.at.least(12);
  });
});
