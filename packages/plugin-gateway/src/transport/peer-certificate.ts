// The library needs the metadata polyfill before its first import.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';

/** A key and its certificate, PEM. */
export interface PeerCertificate {
  readonly key: string;
  readonly cert: string;
}

/**
 * A self-signed certificate for TLS, made now. It proves nothing: the handshake proves the node
 * key and binds it to the connection (RFC 9266's way), so the certificate needs no name, no renewal and no trust.
 */
export async function makePeerCertificate(): Promise<PeerCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=it-chain node',
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(0),
      notAfter: new Date('2100-01-01T00:00:00Z'),
    },
    webcrypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    cert: `${certificate.toString('pem')}\n`,
  };
}
