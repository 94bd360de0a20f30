import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { link, open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failure, keyPairFromSeed, messageOf, type KeyPair } from '@it-chain/contracts';
import { codeOf, syncDirectory } from './durable-file.js';

/** A key file is a few lines; anything larger is none. */
const MAX_KEY_BYTES = 4_096;

/**
 * Opens the key file, or makes it. The form is PEM with PKCS#8 inside (RFC 8410), so `openssl pkey -in node.key -text`
 * reads it. A new key is written, synced and then linked to its name, so that an existing key is never overwritten and
 * a crash never leaves half of one.
 * @throws ERR_IDENTITY_KEY_PERMISSIONS, ERR_IDENTITY_KEY_DAMAGED, ERR_IDENTITY_UNREADABLE
 */
export async function openKeyFile(path: string): Promise<KeyPair> {
  return (await readKeyFile(path)) ?? (await createKeyFile(path));
}

async function readKeyFile(path: string): Promise<KeyPair | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(3, '0');
      throw failure('ERR_IDENTITY_KEY_PERMISSIONS', `the key file ${path} has mode ${octal}: others can use it`, {
        hint: `chmod 600 ${path}`,
      });
    }
    if (size > MAX_KEY_BYTES) throw damaged(path);
    return parseKey(path, await file.readFile('utf8'));
  } finally {
    await file.close();
  }
}

function parseKey(path: string, text: string): KeyPair {
  let seed: Uint8Array | undefined;
  try {
    const key = createPrivateKey({ key: text, format: 'pem' });
    if (key.asymmetricKeyType === 'ed25519') seed = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  } catch {
    // The text of the library's error may quote the file: it is left out on purpose.
  }
  if (seed?.length !== 32) throw damaged(path);
  return keyPairFromSeed(seed);
}

async function createKeyFile(path: string): Promise<KeyPair> {
  const text = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      await link(temporary, path);
    } catch (error) {
      // Another process was first: its key is the node's key, and it is read below.
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await unlink(temporary);
    }
    await syncDirectory(dirname(path));
  } catch (error) {
    throw unreadable(path, error);
  }
  const keys = await readKeyFile(path);
  if (keys === undefined) throw damaged(path);
  return keys;
}

function damaged(path: string): Error {
  return failure('ERR_IDENTITY_KEY_DAMAGED', `the file ${path} does not hold an Ed25519 key in PKCS#8 PEM`);
}

function unreadable(path: string, cause: unknown): Error {
  return failure('ERR_IDENTITY_UNREADABLE', `the key file ${path} cannot be opened or made: ${messageOf(cause)}`, {
    cause,
  });
}
