import { createPrivateKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { failure, keyPairFromSeed, type KeyPair } from '@it-chain/contracts';

/**
 * Reads an Ed25519 key in PKCS#8 PEM, the form of node.key.
 * @throws ERR_IDENTITY_KEY_PERMISSIONS where others can read it, ERR_IDENTITY_KEY_DAMAGED, ERR_CLI_NOT_FOUND
 */
export async function readKey(path: string): Promise<KeyPair> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw failure('ERR_IDENTITY_KEY_PERMISSIONS', `the key file ${path} can be read by others`, {
        hint: `chmod 600 ${path}`,
      });
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw failure('ERR_CLI_NOT_FOUND', `there is no key file ${path}`, {
      hint: 'Start the node once: it makes its key at first boot.',
    });
  }
  try {
    const key = createPrivateKey({ key: text, format: 'pem' });
    const seed = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
    if (key.asymmetricKeyType === 'ed25519') return keyPairFromSeed(seed);
  } catch {
    // The text of the library's error may quote the file: it is left out on purpose.
    throw failure('ERR_IDENTITY_KEY_DAMAGED', `the file ${path} does not hold a key in PKCS#8 PEM`);
  }
  throw failure('ERR_IDENTITY_KEY_DAMAGED', `the file ${path} does not hold an Ed25519 key in PKCS#8 PEM`);
}
