import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  hasCode,
  Identity,
  sameBytes,
  signingBytes,
  toHex,
  verifySignature,
  voteSigningBytes,
  type Served,
  type VoteContent,
} from '@it-chain/contracts';
import { createProxy, MemoryBus, openIdentity, SystemClock, type OpenIdentity } from '@it-chain/kernel';
import { openKeyFile } from '../dist/identity/key-file.js';
import { SignedVotes } from '../dist/identity/signed-votes.js';
import { VoteGuard } from '../dist/identity/vote-guard.js';

const network = new Uint8Array(32).fill(7);
const digest = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const vote = (over: Partial<VoteContent> = {}): VoteContent => ({
  type: 'prepare',
  height: 10,
  round: 0,
  digest: digest(1),
  ...over,
});
const clock = new SystemClock();
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function codeOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'none';
}

describe('identity', () => {
  let dataDir: string;
  let opened: OpenIdentity[] = [];
  let buses: MemoryBus[] = [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'identity-'));
  });
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await Promise.all(opened.map((one) => one.close()));
    opened = [];
    buses = [];
    await rm(dataDir, { recursive: true });
  });

  async function open(acceptDoubleSignRisk = false): Promise<OpenIdentity & { proxy: Served<typeof Identity> }> {
    const identity = await openIdentity({ dataDir, name: 'alice', clock, acceptDoubleSignRisk });
    opened.push(identity);
    const bus = new MemoryBus();
    buses.push(bus);
    await identity.serve(bus);
    let next = 0;
    const proxy = createProxy(Identity, { bus: () => bus, clock, sender: 'test', nextId: () => `t-${next++}` });
    return { ...identity, proxy };
  }
  const guardPath = (): string => join(dataDir, 'votes.guard');

  describe('promises of the role', () => {
    it('I1: a signature is Ed25519 over the domain tag, the network and the content', async () => {
      const { identity, proxy } = await open();
      const content = Uint8Array.of(1, 2, 3);
      const { signature } = await proxy.sign({ domain: 'record', network, content });
      expect(verifySignature(identity.publicKey, signingBytes('record', network, content), signature)).to.equal(true);
      expect(verifySignature(identity.publicKey, signingBytes('join', network, content), signature)).to.equal(false);
      const voted = await proxy.signVote({ network, vote: vote() });
      expect(verifySignature(identity.publicKey, voteSigningBytes(network, vote()), voted.signature)).to.equal(true);
    });

    it('I2: the domain vote is refused by sign', async () => {
      const { proxy } = await open();
      for (const domain of ['vote', 'Vote', '', 'anything']) {
        const code = await codeOf(proxy.sign({ domain, network, content: new Uint8Array(0) }));
        expect(code, domain).to.equal('ERR_IDENTITY_DOMAIN_REFUSED');
      }
    });

    it('I3: the same vote asked twice gives the same signature', async () => {
      const { proxy } = await open();
      const first = await proxy.signVote({ network, vote: vote() });
      const size = (await stat(guardPath())).size;
      const second = await proxy.signVote({ network, vote: vote() });
      expect(toHex(second.signature)).to.equal(toHex(first.signature));
      expect((await stat(guardPath())).size, 'nothing was written the second time').to.equal(size);
    });

    it('I4: a different digest for one type, height and round is refused with ERR_IDENTITY_DOUBLE_SIGN, also after a restart', async () => {
      const first = await open();
      const { signature } = await first.proxy.signVote({ network, vote: vote() });
      const other = vote({ digest: digest(2) });
      expect(await codeOf(first.proxy.signVote({ network, vote: other }))).to.equal('ERR_IDENTITY_DOUBLE_SIGN');
      await first.close();
      const second = await open();
      expect(second.identity.nodeId).to.equal(first.identity.nodeId);
      expect(await codeOf(second.proxy.signVote({ network, vote: other }))).to.equal('ERR_IDENTITY_DOUBLE_SIGN');
      expect(toHex((await second.proxy.signVote({ network, vote: vote() })).signature)).to.equal(toHex(signature));
      const elsewhere = await second.proxy.signVote({ network: digest(9), vote: other });
      expect(elsewhere.signature).to.have.length(64);
    });

    it('I5: a vote is on disk in the guard before its signature is given out', async () => {
      const { proxy } = await open();
      for (let round = 0; round < 5; round += 1) {
        await proxy.signVote({ network, vote: vote({ round, digest: digest(round) }) });
        const copy = join(dataDir, 'copy.guard');
        await writeFile(copy, await readFile(guardPath()));
        const guard = await VoteGuard.open({ path: copy, acceptDoubleSignRisk: false }, { clock, log });
        const code = await codeOf(guard.note(network, vote({ round, digest: digest(99) })));
        await guard.close();
        expect(code).to.equal('ERR_IDENTITY_DOUBLE_SIGN');
      }
    });

    it('answers who the node is', async () => {
      const { identity, proxy } = await open();
      const answer = await proxy.get({});
      expect(answer).to.include({ nodeId: identity.nodeId, name: 'alice' });
      expect(sameBytes(answer.publicKey, identity.publicKey)).to.equal(true);
    });

    it('is served by one process only', async () => {
      const again = await open();
      const bus = buses[0];
      expect(bus).to.not.equal(undefined);
      if (bus !== undefined) expect(await codeOf(again.serve(bus))).to.equal('ERR_ROLE_TAKEN');
    });
  });

  describe('key file', () => {
    const keyPath = (): string => join(dataDir, 'node.key');

    it('is made once, for the owner only, and kept', async () => {
      const first = await open();
      expect((await stat(keyPath())).mode & 0o777).to.equal(0o600);
      const text = await readFile(keyPath(), 'utf8');
      const second = await open();
      expect(second.identity.nodeId).to.equal(first.identity.nodeId);
      expect(await readFile(keyPath(), 'utf8')).to.equal(text);
      expect((await readdir(dataDir)).filter((name) => name.endsWith('.tmp'))).to.deep.equal([]);
    });

    it('is one key for processes that make it at the same time', async () => {
      const all = await Promise.all(Array.from({ length: 8 }, () => openKeyFile(keyPath())));
      expect(new Set(all.map(({ publicKey }) => toHex(publicKey))).size).to.equal(1);
    });

    it('is refused when others can read it', async () => {
      await (await open()).close();
      await chmod(keyPath(), 0o640);
      expect(await codeOf(open())).to.equal('ERR_IDENTITY_KEY_PERMISSIONS');
    });

    it('is refused when it holds no Ed25519 key, and is not overwritten', async () => {
      const rsaLike = '-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n';
      for (const text of ['', 'hello', rsaLike, 'x'.repeat(10_000)]) {
        await writeFile(keyPath(), text, { mode: 0o600 });
        expect(await codeOf(open()), text.slice(0, 20)).to.equal('ERR_IDENTITY_KEY_DAMAGED');
        expect(await readFile(keyPath(), 'utf8')).to.equal(text);
      }
    });

    it('is told apart from a data directory that is not there', async () => {
      const missing = openIdentity({ dataDir: join(dataDir, 'no'), name: 'a', clock, acceptDoubleSignRisk: false });
      expect(await codeOf(missing)).to.equal('ERR_IDENTITY_UNREADABLE');
    });

    it('is in a form that node:crypto wrote and openssl reads', async () => {
      const { identity } = await open();
      expect(await readFile(keyPath(), 'utf8')).to.match(/^-----BEGIN PRIVATE KEY-----\n/);
      let text: string;
      try {
        text = execFileSync('openssl', ['pkey', '-in', keyPath(), '-text', '-noout'], { encoding: 'utf8' });
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOENT') throw error;
        return; // No openssl on this machine: the form was compared above.
      }
      const hex = /pub:\s*([0-9a-f:\s]+)/.exec(text)?.[1]?.replace(/[^0-9a-f]/g, '');
      expect(hex).to.equal(toHex(identity.publicKey));
    });
  });

  describe('signing guard', () => {
    const header = 17;
    const record = 85;
    async function filled(count: number): Promise<Buffer> {
      const guard = await VoteGuard.open({ path: guardPath(), acceptDoubleSignRisk: false }, { clock, log });
      for (let round = 0; round < count; round += 1) {
        await guard.note(network, vote({ type: 'round-change', round: round + 1, digest: digest(round) }));
      }
      await guard.close();
      return readFile(guardPath());
    }
    const reopen = (acceptDoubleSignRisk = false): Promise<VoteGuard> =>
      VoteGuard.open({ path: guardPath(), acceptDoubleSignRisk }, { clock, log });

    it('forgets only the torn record, wherever a crash cut the file', async () => {
      const whole = await filled(3);
      for (let size = 0; size <= whole.length; size += 1) {
        await writeFile(guardPath(), whole);
        await truncate(guardPath(), size);
        const guard = await reopen();
        const kept = Math.max(0, Math.floor((size - header) / record));
        for (let index = 0; index < kept; index += 1) {
          const changed = vote({ type: 'round-change', round: index + 1, digest: digest(99) });
          expect(await codeOf(guard.note(network, changed)), `${size} bytes`).to.equal('ERR_IDENTITY_DOUBLE_SIGN');
        }
        await guard.note(network, vote({ type: 'commit', round: 9 }));
        await guard.close();
        expect((await readFile(guardPath())).length).to.equal(header + (kept + 1) * record);
      }
    });

    it('takes a last record whose end was never written for torn', async () => {
      const whole = await filled(2);
      whole.fill(0, whole.length - 20);
      await writeFile(guardPath(), whole);
      const guard = await reopen();
      expect(guard.size).to.equal(header + record);
      await guard.close();
    });

    it('refuses a file with any bit flipped', async () => {
      const whole = await filled(3);
      await fc.assert(
        fc.asyncProperty(fc.nat(whole.length * 8 - 1), async (bit) => {
          const flipped = Buffer.from(whole);
          const at = bit >> 3;
          flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
          await writeFile(guardPath(), flipped);
          expect(await codeOf(reopen())).to.equal('ERR_IDENTITY_GUARD_DAMAGED');
        }),
        { numRuns: 200 },
      );
    });

    it('goes on with what can be read when the risk is accepted, and keeps the damaged file', async () => {
      const whole = await filled(3);
      whole[header + record + 3] = (whole[header + record + 3] ?? 0) ^ 1;
      await writeFile(guardPath(), whole);
      const guard = await reopen(true);
      const third = vote({ type: 'round-change', round: 3, digest: digest(99) });
      expect(await codeOf(guard.note(network, third))).to.equal('ERR_IDENTITY_DOUBLE_SIGN');
      await guard.close();
      const kept = (await readdir(dataDir)).filter((name) => name.startsWith('votes.guard.damaged-'));
      expect(kept).to.have.length(1);
      expect(await readFile(join(dataDir, kept[0] ?? ''))).to.deep.equal(whole);
      await (await reopen()).close();
    });

    it('stays small over many heights and still knows the last ones', async () => {
      const options = { path: guardPath(), acceptDoubleSignRisk: false, compactAfter: 16 };
      const guard = await VoteGuard.open(options, { clock, log });
      for (let height = 1; height <= 100; height += 1) {
        await guard.note(network, vote({ height }));
        await guard.note(network, vote({ height, type: 'commit' }));
      }
      expect(guard.size).to.be.at.most(header + 17 * record);
      await guard.close();
      const again = await reopen();
      expect(await codeOf(again.note(network, vote({ height: 100, digest: digest(2) })))).to.equal(
        'ERR_IDENTITY_DOUBLE_SIGN',
      );
      expect(await codeOf(again.note(network, vote({ height: 98 })))).to.equal('ERR_IDENTITY_STALE_VOTE');
      await again.close();
    });

    it('signs nothing once a record could not be written', async () => {
      const guard = await reopen();
      await guard.note(network, vote());
      await guard.close(); // The file is closed under it: every write fails.
      expect(await codeOf(guard.note(network, vote({ round: 1 })))).to.equal('ERR_IDENTITY_GUARD_FAILED');
      expect(await codeOf(guard.note(network, vote()))).to.equal('ERR_IDENTITY_GUARD_FAILED');
    });

    it('lets only one of two processes sign on one data directory', async () => {
      await filled(1);
      const [one, other] = [await reopen(), await reopen()];
      await one.note(network, vote({ height: 11 }));
      const second = await codeOf(other.note(network, vote({ height: 11, digest: digest(2) })));
      expect(second).to.equal('ERR_IDENTITY_GUARD_FAILED');
      await one.close();
      await other.close();
    });

    it('refuses a PREPARE or COMMIT below a ROUND_CHANGE, and a height too far below', () => {
      const votes = new SignedVotes();
      const sign = (over: Partial<VoteContent>): string => {
        try {
          const verdict = votes.judge({ network, vote: vote(over) });
          if (verdict === 'new') votes.note({ network, vote: vote(over) });
          return verdict;
        } catch (error) {
          return hasCode(error, 'ERR_IDENTITY_STALE_VOTE') ? 'stale' : 'other';
        }
      };
      expect(sign({ type: 'prepare', round: 0 })).to.equal('new');
      expect(sign({ type: 'round-change', round: 2 })).to.equal('new');
      expect(sign({ type: 'prepare', round: 1 })).to.equal('stale');
      expect(sign({ type: 'commit', round: 0 })).to.equal('stale');
      expect(sign({ type: 'round-change', round: 1 })).to.equal('stale');
      expect(sign({ type: 'prepare', round: 0 }), 'what was signed may be sent again').to.equal('again');
      expect(sign({ type: 'proposal', round: 2 })).to.equal('new');
      expect(sign({ type: 'commit', round: 2 })).to.equal('new');
      expect(sign({ height: 11 })).to.equal('new');
      expect(sign({ height: 12 })).to.equal('new');
      expect(sign({ height: 10 })).to.equal('stale');
      expect(sign({ type: 'none', height: 13 })).to.equal('other');
    });

    it('never lets two digests be signed for one vote, whatever is asked and however often it restarts', async () => {
      const ask = fc.record({
        type: fc.constantFrom('proposal', 'prepare', 'commit', 'round-change'),
        height: fc.integer({ min: 1, max: 4 }),
        round: fc.integer({ min: 0, max: 3 }),
        fill: fc.integer({ min: 0, max: 1 }),
        restart: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(ask, { maxLength: 25 }), async (asks) => {
          await rm(guardPath(), { force: true });
          const options = { path: guardPath(), acceptDoubleSignRisk: false, compactAfter: 4 };
          const signed = new Map<string, number>();
          let guard = await VoteGuard.open(options, { clock, log });
          for (const { type, height, round, fill, restart } of asks) {
            if (restart) {
              await guard.close();
              guard = await VoteGuard.open(options, { clock, log });
            }
            const asked = { type, height, round, digest: digest(fill) } as VoteContent;
            if ((await codeOf(guard.note(network, asked))) !== 'none') continue;
            const key = `${type}/${height}/${round}`;
            expect(signed.get(key) ?? fill).to.equal(fill);
            signed.set(key, fill);
          }
          await guard.close();
        }),
        { numRuns: 60 },
      );
    });
  });
});
