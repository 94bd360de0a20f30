import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isNodeId } from '@it-chain/contracts';
import { cliReference } from '@it-chain/cli';
import { expect } from 'chai';
import { run } from './run.js';

describe('the command itself', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'it-chain-usage-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows help and version, and takes no verb as wrong usage', async () => {
    const help = await run(['help']);
    expect(help.code).to.equal(0);
    for (const verb of ['start', 'status', 'join', 'tx', 'kv', 'devnet', 'config', 'chain', 'keys']) {
      expect(help.out).to.match(new RegExp(`\\n  ${verb}\\b`));
    }
    expect((await run(['tx', 'send', '--help'])).out).to.include('put KEY VALUE');
    expect((await run(['--version'])).out).to.match(/^\d+\.\d+\.\d+\n$/);
    expect((await run(['version', '--json'])).json[0]).to.include({ api: 'itchain.v1', pluginApi: 1 });
    expect((await run([])).code).to.equal(2);
  });

  it('has each verb under its own name, whether it is loaded alone or with all', async () => {
    const verbs = [...(await run(['help'])).out.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name]) => name ?? '');
    expect(verbs).to.include.members(['start', 'recover', 'version']);
    for (const name of verbs.filter((word) => word !== 'help')) {
      const { code, out } = await run([name, '--help']);
      expect(code, name).to.equal(0);
      expect(out).to.match(new RegExp(`^Usage: it-chain ${name}\\b`));
    }
  });

  it('tells wrong usage in three lines with exit code 2, and what was meant', async () => {
    for (const args of [
      ['stauts'],
      ['tx', 'get'],
      ['status', '--wat'],
      ['validators', '--height', 'x'],
      ['devnet', '--nodes', '0'],
    ]) {
      const { code, err, out } = await run(args);
      expect(code, args.join(' ')).to.equal(2);
      expect(err, args.join(' ')).to.match(/^error: .* \(ERR_CLI_USAGE\)\nwhy: {3}.*\ntry: {3}.*\n$/);
      expect(out).to.equal('');
    }
    expect((await run(['stauts'])).err).to.include('Did you mean status?');
    const { err } = await run(['stauts', '--json']);
    expect(JSON.parse(err)).to.have.nested.property('error.exit', 2);
  });

  it('says that no node answers: exit code 3, and never a stack', async () => {
    for (const args of [
      'status',
      'peers',
      'kv get a',
      'tx send x',
      'join 127.0.0.1:7000',
      'block follow',
      'events follow',
    ]) {
      const { code, err } = await run([...args.split(' '), '--api', '127.0.0.1:1']);
      expect(code, args).to.equal(3);
      expect(err, args).to.match(/^error: no node answers at 127\.0\.0\.1:1: ECONNREFUSED \(ERR_CLI_CANNOT_CONNECT\)/);
      expect(err.split('\n'), args).to.have.length(4);
    }
    expect((await run(['status', '--api', '127.0.0.1:1', '--verbose'])).err).to.match(/\n +at /);
  });

  it('refuses an address of the API that is none, with exit code 2, before it asks anybody', async () => {
    for (const api of ['foo', '127.0.0.1:99999', '127.0.0.1:', ':7001', 'http://127.0.0.1:7001', '']) {
      const { code, err } = await run(['status', '--api', api]);
      expect(code, api).to.equal(2);
      expect(err, api).to.match(/^error: "[^"]*" is not an address of the client API \(ERR_CLI_USAGE\)\n/);
      expect(err, api).to.include('HOST:PORT');
    }
    expect((await run(['status'], { env: { IT_CHAIN_API: 'nowhere' } })).code).to.equal(2);
    for (const api of ['[::1]:1', 'localhost:1']) expect((await run(['status', '--api', api])).code, api).to.equal(3);
  });

  it('names a file of the command line that cannot be read, instead of going on without it', async () => {
    const api = ['--api', '127.0.0.1:1'];
    for (const [option, where] of [
      ['--ca', 'none.pem'],
      ['--ca', '.'],
      ['--token-file', 'none.token'],
    ] as const) {
      const { code, err } = await run(['status', option, where, ...api], { cwd: folder });
      expect(code, option).to.equal(2);
      expect(err, option).to.include('(ERR_CLI_USAGE)').and.include(join(folder, where)).and.include(option);
    }
    writeFileSync(join(folder, 'no.pem'), 'no certificate');
    const { code, err } = await run(['status', '--ca', 'no.pem', ...api], { cwd: folder });
    expect(code, err).to.equal(2);
    expect(err).to.include('no.pem');
  });

  it('names a config that is not there, with exit code 2', async () => {
    const { code, err } = await run(['status', '--config', join(folder, 'none.yaml')]);
    expect(code).to.equal(2);
    expect(err).to.include('ERR_CONFIG_NOT_FOUND');
  });

  it('shows the key of a stopped node, never the secret half', async () => {
    const dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    writeFileSync(join(dataDir, 'node.key'), pem, { mode: 0o600 });
    writeFileSync(join(folder, 'it-chain.config.yaml'), `node: { dataDir: ${dataDir} }\n`);
    const shown = await run(['keys', 'show', '--json'], { cwd: folder });
    expect(shown.code, shown.err).to.equal(0);
    expect(isNodeId(String(shown.json[0]!['nodeId']))).to.equal(true);
    expect(shown.json[0]).to.include({ mode: '0600', file: join(dataDir, 'node.key') });
    expect(shown.out).to.not.include(pem.split('\n')[1]);
    expect((await run(['id'], { cwd: folder })).out.trim()).to.equal(shown.json[0]!['nodeId']);
    writeFileSync(join(dataDir, 'node.key'), 'no key', { mode: 0o600 });
    expect((await run(['keys', 'show'], { cwd: folder })).code).to.equal(12);
    rmSync(join(dataDir, 'node.key'));
    expect((await run(['keys', 'show'], { cwd: folder })).code).to.equal(4);
    expect(
      (await run(['chain', 'verify', '--config', join(folder, 'it-chain.config.yaml')], { cwd: folder })).code,
    ).to.equal(4);
  });

  it('prints its own reference, with every verb and exit code', async () => {
    const text = await cliReference();
    for (const verb of ['start', 'kv range', 'tx prove', 'devnet', 'chain verify', 'config show', 'events follow']) {
      expect(text).to.include(`### it-chain ${verb}\n`);
    }
    for (const code of [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14]) expect(text).to.include(`| ${code} |`);
    expect(text).to.include('--accept-double-sign-risk');
  });
});
