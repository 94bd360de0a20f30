// Every kind is built, passes its own tests and does its work in a real node. Run by CI: node scripts/scaffold-tests.mjs
import { expect } from 'chai';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KvOperation, keyPairFromSeed, sha256, utf8 } from '@it-chain/contracts';
import type { Client } from '@it-chain/client';
import { KINDS } from 'create-it-chain-plugin';
import { Workbench, limitMs } from './workbench.js';

const keys = keyPairFromSeed(sha256(utf8('sender')));
const put = KvOperation.encode({ put: { key: utf8('greeting'), value: utf8('hello') } });

/** Sends a payload and waits for its block; gives the output of the application. */
async function commit(client: Client, payload: Uint8Array): Promise<string> {
  const sent = await client.send(payload, keys);
  const final = await client.waitForTransaction(sent.id, { timeoutMs: limitMs });
  expect(final.status, `${final.code} ${final.reason}`).to.equal('committed');
  return Buffer.from(final.receipt?.output ?? []).toString();
}

/** What shows that the plugin does its work in a node that commits transactions. */
const WORKS: Readonly<Record<string, (client: Client, bench: Workbench) => Promise<void>>> = {
  application: async (client) => {
    expect(await commit(client, utf8('blue'))).to.equal('1');
    expect(await commit(client, utf8('blue'))).to.equal('2');
    const { data } = await client.query('count', utf8('blue'));
    expect(Buffer.from(data).toString()).to.equal('2');
  },
  storage: async (client, bench) => {
    await commit(client, put);
    expect(readFileSync(inData(bench, 'journal'), 'utf8').trimEnd().split('\n').length).to.be.greaterThan(2);
  },
  consensus: async (client) => {
    await commit(client, put);
    expect((await client.status()).validators).to.equal(1);
  },
  txpool: async (client) => {
    await commit(client, put);
    const { plugins } = await client.status();
    expect(plugins.find(({ role }) => role === 'txpool')).to.include({ name: 'my-txpool', state: 'ready' });
  },
  observer: async (client, bench) => {
    await commit(client, put);
    await eventually('a line per block', () => {
      const file = inData(bench, 'blocks.jsonl');
      return existsSync(file) && readFileSync(file, 'utf8').startsWith('{"height":1,');
    });
  },
  api: async (client) => {
    await commit(client, put);
    const response = await fetch('http://127.0.0.1:7891/blocks/1');
    expect(await response.json()).to.include({ height: 1, transactions: 1 });
  },
  admission: async (client) => {
    await commit(client, put);
    const { plugins } = await client.status();
    expect(plugins.find(({ name }) => name === 'my-admission')?.state).to.equal('ready');
  },
};

const inData = (bench: Workbench, file: string): string => {
  const plugins = join(bench.folder, 'data', 'dev', 'plugins');
  const owner = readdirSync(plugins).find((name) => name.startsWith('my-')) ?? '';
  return join(plugins, owner, file);
};

async function eventually(what: string, condition: () => boolean): Promise<void> {
  for (const end = performance.now() + limitMs; !condition();) {
    if (performance.now() > end) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a scaffolded plugin', function () {
  this.timeout(limitMs * 4);

  for (const { name: kind } of KINDS) {
    it(`of kind ${kind} builds, passes its tests, and does its work in a node`, async () => {
      const bench = await Workbench.create(`my-${kind}`, kind);
      try {
        expect(await bench.buildAndTest()).to.be.greaterThan(9);
        if (kind === 'api') {
          const config = join(bench.folder, 'it-chain.config.yaml');
          writeFileSync(config, readFileSync(config, 'utf8').replace('- use: .', '- use: .\n    with: { port: 7891 }'));
        }
        const node = bench.follow(['start', '--solo']);
        await WORKS[kind]?.(bench.client(await node.next('ready')), bench);
        await node.stop();
      } finally {
        await bench.remove();
      }
    });
  }

  it('is started again by `it-chain plugin dev` when it changes', async () => {
    const bench = await Workbench.create('my-observer', 'observer');
    try {
      const dev = bench.follow(['plugin', 'dev']);
      await commit(bench.client(await dev.next('ready')), put);
      const source = join(bench.folder, 'src', 'index.ts');
      writeFileSync(source, readFileSync(source, 'utf8').replace("'blocks.jsonl'", "'changed.jsonl'"));
      const client = bench.client(await dev.next('ready'));
      await commit(client, put);
      await eventually('the changed plugin works', () => existsSync(inData(bench, 'changed.jsonl')));
      await dev.stop();
    } finally {
      await bench.remove();
    }
  });
});
