import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exampleConfig } from '@it-chain/cli';
import { expect } from 'chai';
import { run } from './run.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

describe('it-chain config', () => {
  let folder: string;
  const write = (text: string) => {
    writeFileSync(join(folder, 'it-chain.config.yaml'), text);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'it-chain-config-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('check finds nothing wrong with the configs of the repository', async () => {
    for (const name of ['first-node.yaml', 'second-node.yaml', 'it-chain.config.yaml']) {
      const { code, out, err } = await run(['config', 'check', '--config', join(root, 'config', name)], {
        cwd: folder,
      });
      expect(code, `${name}: ${out}${err}`).to.equal(0);
    }
  });

  it('the example in the repository has every option, as the schemas say', async () => {
    expect(readFileSync(join(root, 'config', 'it-chain.config.yaml'), 'utf8')).to.equal(await exampleConfig());
  });

  it('check names everything that is wrong, with its place and what was meant, and exits with 2', async () => {
    write(
      "node:\n  nam: x\nplugins:\n  - use: '@it-chain/plugin-gateway'\n    with: { api: { listen: nowhere, maxStream: 3 } }\n",
    );
    const { code, json } = await run(['config', 'check', '--json'], { cwd: folder });
    expect(code).to.equal(2);
    const problems = json[0]!['problems'] as { path: string; line?: number; hint?: string }[];
    expect(problems.map(({ path }) => path)).to.include.members([
      'node.nam',
      'plugins[0].with.api.maxStream',
      'plugins[0].with.api.listen',
    ]);
    expect(problems.find(({ path }) => path === 'node.nam')).to.include({ line: 2 });
    expect(problems.find(({ path }) => path === 'node.nam')!.hint).to.include('name');
    const human = await run(['config', 'check'], { cwd: folder });
    expect(human.code).to.equal(2);
    expect(human.out).to.include('maxStream');
    expect(human.out).to.not.include('expected expected');
  });

  it('check says which file is valid, and where there is none', async () => {
    expect((await run(['config', 'check'], { cwd: folder })).out).to.include('there is no config file here');
    write('node: { name: alice }\n');
    expect((await run(['config', 'check'], { cwd: folder })).out).to.match(/it-chain\.config\.yaml is valid\n$/);
  });

  it('show prints what is in force and where it comes from, and masks secrets', async () => {
    write('node: { name: alice }\nbus: { url: "amqp://user:hidden@broker/vhost" }\n');
    const shown = await run(['config', 'show', '--json'], { cwd: folder });
    expect(shown.code, shown.err).to.equal(0);
    expect(shown.json[0]).to.have.nested.property('node.name', 'alice');
    expect(shown.out).to.not.include('hidden');
    expect((await run(['config', 'show'], { cwd: folder })).out).to.include('name: alice');
    const env = { IT_CHAIN_NODE__NAME: 'bob' };
    const sources = await run(['config', 'show', '--sources', '--json'], { cwd: folder, env });
    const rows = sources.json[0] as unknown as { path: string; value: unknown; kind: string; from: string }[];
    expect(rows.find(({ path }) => path === 'node.name')).to.include({
      value: 'bob',
      kind: 'environment',
      from: 'IT_CHAIN_NODE__NAME',
    });
    expect(sources.out).to.not.include('hidden');
  });

  it('schema prints one JSON Schema for the whole file', async () => {
    const { code, out } = await run(['config', 'schema'], { cwd: folder });
    expect(code).to.equal(0);
    const schema = JSON.parse(out) as { properties: Record<string, unknown> };
    expect(schema.properties).to.include.keys('node', 'bus', 'plugins', 'log');
  });
});
