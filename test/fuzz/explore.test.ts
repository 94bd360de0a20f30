import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/node-process.js';
import { inputsOf, targetsOf } from './corpus.js';
import { targets } from './targets.js';

describe('the search for inputs that break a decoder', function () {
  this.timeout(600_000);

  it('finds a fault behind conditions that chance alone does not pass, guided by what has run', () => {
    const main = join(root, 'test', 'dist', 'fuzz', 'explore-target.js');
    const args = [main, '--target', 'maze', '--inputs', '300000', '--seconds', '500'];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).to.match(/FOUND after \d+ inputs, 66757a.*\n.*the planted fault/);
    expect(status).to.equal(1);
  });

  it('has a corpus for every decoder, and for nothing else', async () => {
    const names = (await targets()).map(({ name }) => name).sort();
    expect(targetsOf('corpus').sort()).to.deep.equal(names);
    for (const name of names) expect(inputsOf('corpus', name), name).to.not.be.empty;
  });
});
