import { expect } from 'chai';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { RecordingLog } from '@it-chain/testkit';
import { CERTIFICATE_FILE, keptCertificate } from '../../dist/transport/kept-certificate.js';
import { makePeerCertificate, type PeerCertificate } from '../../dist/transport/peer-certificate.js';

describe('the certificate of a data directory', () => {
  let dir: string;
  let made: number;
  const make = (): Promise<PeerCertificate> => {
    made += 1;
    return makePeerCertificate();
  };
  const kept = (): Promise<PeerCertificate> => keptCertificate(dir, make, new RecordingLog());
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'it-chain-certificate-'));
    made = 0;
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('is made once, readable by its owner alone, and serves TLS after it was read', async () => {
    const first = await kept();
    const second = await kept();
    expect(made).to.equal(1);
    expect(second).to.deep.equal({ key: first.key, cert: first.cert });
    createSecureContext(second);
    expect((await stat(join(dir, CERTIFICATE_FILE))).mode & 0o777).to.equal(0o600);
  });

  it('is made anew where the file is damaged, empty, or has the key of another one', async () => {
    const path = join(dir, CERTIFICATE_FILE);
    const good = await kept();
    const other = await makePeerCertificate();
    for (const content of ['', 'no certificate', good.key, good.cert, other.key + good.cert, good.key.slice(0, 90)]) {
      await writeFile(path, content);
      const before = made;
      const fresh = await kept();
      expect(made, JSON.stringify(content.slice(0, 40))).to.equal(before + 1);
      expect(await readFile(path, 'utf8')).to.equal(fresh.key + fresh.cert);
    }
  });

  it('is one of its own where none can be kept', async () => {
    await rm(dir, { recursive: true });
    createSecureContext(await kept());
    expect(made).to.equal(1);
  });
});
