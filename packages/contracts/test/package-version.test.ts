import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageVersion } from '@it-chain/contracts';

describe('packageVersion', () => {
  const folder = mkdtempSync(join(tmpdir(), 'it-chain-version-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('reads the nearest package.json that has a version', () => {
    mkdirSync(join(folder, 'dist', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "name": "acme", "version": "3.4.5" }');
    // As some builds leave one to say which kind of modules lies below.
    writeFileSync(join(folder, 'dist', 'package.json'), '{ "type": "module" }');
    const module = pathToFileURL(join(folder, 'dist', 'deep', 'plugin.js')).href;
    expect(packageVersion(module)).to.equal('3.4.5');
  });

  it('says where it looked in vain', () => {
    expect(() => packageVersion('file:///nowhere/plugin.js')).to.throw(TypeError, 'file:///nowhere/plugin.js');
  });
});
