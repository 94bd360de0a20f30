import type { Client } from '@it-chain/client';
import { failure, fromHex, toHex } from '@it-chain/contracts';

/**
 * The public key that a word on the command line means: 64 hex digits, or the node id or name of a member or peer.
 * @throws ERR_CLI_USAGE
 */
export async function resolveMember(word: string, client: Client): Promise<Uint8Array> {
  const key = fromHex(word, 32);
  if (key !== undefined) return key;
  const [{ members }, peers] = await Promise.all([client.members(), client.peers()]);
  const found = new Map(
    [...members, ...peers]
      .filter(({ nodeId, name }) => nodeId === word || name === word)
      .map(({ publicKey }) => [toHex(publicKey), publicKey]),
  );
  const [first] = found.values();
  if (first !== undefined && found.size === 1) return first;
  throw failure(
    'ERR_CLI_USAGE',
    found.size === 0
      ? `"${word}" is no member and no peer of this node`
      : `${found.size} members or peers are called "${word}"`,
    { hint: 'Give the node id, or the public key in hex, which it-chain id --json prints on that node.' },
  );
}

/**
 * The id of the open proposal that a word means: all of its hex digits, or the first ones where no other begins so.
 * @throws ERR_CLI_USAGE
 */
export async function resolveProposal(word: string, client: Client): Promise<Uint8Array> {
  const full = fromHex(word, 32);
  if (full !== undefined) return full;
  const { proposals } = await client.members();
  const found = proposals.filter(({ id }) => word.length >= 4 && toHex(id).startsWith(word.toLowerCase()));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.id;
  throw failure('ERR_CLI_USAGE', `${found.length} open proposals begin with "${word}"`, {
    hint: 'it-chain members list shows what is voted on; give at least 4 digits.',
  });
}
