import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, type Log } from '@it-chain/contracts';
import type { PeerCertificate } from './peer-certificate.js';

/** The file in the data directory that keeps the certificate, PEM, mode 0600. */
export const CERTIFICATE_FILE = 'peers.pem';

/**
 * The certificate of a data directory, made on first use: the library that makes one costs a starting node 0.2 s of CPU.
 * Any will do, since it proves nothing (see `makePeerCertificate`): one that cannot be used is replaced, and where none can
 * be kept the node goes on with one of its own.
 */
export async function keptCertificate(
  dataDir: string,
  make: () => Promise<PeerCertificate>,
  log: Pick<Log, 'debug'>,
): Promise<PeerCertificate> {
  const path = join(dataDir, CERTIFICATE_FILE);
  try {
    return usable(await readFile(path, 'utf8'));
  } catch (error) {
    log.debug('a certificate for peers is made', { path, reason: messageOf(error) });
  }
  const made = await make();
  try {
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, made.key + made.cert, { mode: 0o600 });
    await rename(draft, path);
  } catch (error) {
    log.debug('the certificate for peers cannot be kept', { path, reason: messageOf(error) });
  }
  return made;
}

/** @throws where it is no key with its certificate */
function usable(text: string): PeerCertificate {
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0] ?? '';
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(text)?.[0] ?? '';
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key is another one');
  return { key, cert };
}
