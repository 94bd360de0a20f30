import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createClient } from '@it-chain/client';
import {
  Genesis,
  failure,
  fromHex,
  isMemberOf,
  messageOf,
  networkOf,
  nodeIdOf,
  recoveredSystemState,
  recoveryContent,
  recoveryProblem,
  sameBytes,
  systemRootOf,
  toHex,
  type ChainTip,
  type SystemState,
} from '@it-chain/contracts';
import type { Io } from '../terminal/io.js';
import { beginEpoch } from './begin-epoch.js';
import { problemsOf, requireYes, withNode } from './maintained-node.js';
import type { StoppedNode } from './stopped-node.js';
import { swapStore } from './swap-store.js';

/** What a recovery is told: a new set and a reason, or where the genesis of another survivor is. */
export interface RecoverOptions {
  readonly config: string | undefined;
  readonly newSet: readonly string[] | undefined;
  readonly reason: string | undefined;
  /** The genesis that another survivor wrote, or the client API of that node. */
  readonly file: string | undefined;
  readonly from: string | undefined;
  /** Without it nothing is changed. */
  readonly yes: boolean;
  readonly progress: (height: number, to: number) => void;
}

/** What a recovery came to. Keys and networks in hex. */
export interface Recovered {
  readonly network: string;
  /** The network that is left. */
  readonly before: string;
  /** Of the last certified block, from which the new network goes on. */
  readonly height: number;
  readonly digest: string;
  readonly operator: string;
  readonly validators: readonly string[];
  readonly reason: string;
  /** One sentence each. */
  readonly givenUp: readonly string[];
  /** Folder of the store as it was, with the blocks of the network before. */
  readonly kept: string;
  /** The genesis of the new network, for `--file` of the other survivors. */
  readonly genesis: string;
}

/** Where the chain of a stopped node ends. */
interface End {
  readonly genesis: Genesis;
  readonly tip: ChainTip;
  readonly members: SystemState;
}

/**
 * Lets a stopped node go on in a new network, from its last certified block: with a set of its operator's choice, or in the
 * one that another survivor has begun.
 * @throws ERR_CLI_USAGE, ERR_RECOVERY_REFUSED, ERR_STORAGE_IN_USE, ERR_STORAGE_DAMAGED
 */
export async function recoverNetwork(options: RecoverOptions, io: Io): Promise<Recovered> {
  requireOneWay(options);
  return withNode('recover', options, io, async ({ holder, identity, old, problems }) => {
    if (old === undefined) {
      throw failure('ERR_STORAGE_DAMAGED', problems[0] ?? 'the store does not open', {
        hint: 'Use `it-chain chain repair` first.',
      });
    }
    const end = await endOf(old, options.progress);
    const genesis = options.newSet === undefined ? await givenGenesis(options, io) : await drawn(end, options, holder);
    requireFits(genesis, end);
    const givenUp = givenUpBy(genesis, end, holder.identity.publicKey);
    requireYes(
      options.yes,
      [`the network ${toHex(end.tip.network)} would be left at block ${end.tip.height}. Given up:`, ...givenUp].join(
        '\n  - ',
      ),
    );
    const encoded = Genesis.encode(genesis);
    const { config, progress } = options;
    await beginEpoch({ config, dataDir: holder.dataDir, identity, old: old.storage, genesis: encoded, progress }, io);
    const network = toHex(networkOf(genesis));
    const path = join(holder.dataDir, `epoch-${network.slice(0, 16)}.genesis`);
    await writeSynced(path, encoded);
    // LevelDB must have let go of its files before they are moved.
    await old.stop();
    return {
      network,
      before: toHex(end.tip.network),
      height: end.tip.height,
      digest: toHex(end.tip.digest),
      operator: toHex(genesis.founder),
      validators: genesis.validators.map(toHex),
      reason: genesis.recovery?.reason ?? '',
      givenUp,
      kept: await swapStore(holder.dataDir, 'recover'),
      genesis: path,
    };
  });
}

function requireOneWay({ newSet, reason, file, from }: RecoverOptions): void {
  const usage = (what: string): Error =>
    failure('ERR_CLI_USAGE', what, {
      hint: 'Give --new-set and --reason to begin a new network, or --file or --from to take the one of another survivor.',
    });
  const ways = [newSet, file, from].filter((way) => way !== undefined).length;
  if (ways !== 1) throw usage(ways === 0 ? 'recover into which network?' : 'more than one network to recover into');
  if (newSet === undefined) {
    if (reason !== undefined) throw usage('--reason belongs to --new-set: here it is in the genesis already');
    return;
  }
  if (newSet.length === 0) throw usage('the new set is empty');
  if (reason === undefined || reason.trim() === '')
    throw usage('a new network is begun for a reason that all can read');
  if (reason.length > 256) throw usage(`a reason of ${reason.length} characters, where 256 are allowed`);
}

/** Checks everything that is stored: a network must not begin with damage, nor with a block that no quorum has certified. */
async function endOf(old: StoppedNode, progress: RecoverOptions['progress']): Promise<End> {
  const [encoded, tip] = [await old.genesis(), await old.tip()];
  if (encoded === undefined || tip === undefined || tip.height === 0) {
    throw failure('ERR_RECOVERY_REFUSED', 'this node has no blocks: there is nothing to go on from', {
      hint: 'Join another member, or found a new network.',
    });
  }
  const [problem] = await problemsOf(old, progress);
  if (problem !== undefined) {
    throw failure('ERR_STORAGE_DAMAGED', `nothing was changed: ${problem}`, {
      hint: 'Use `it-chain chain repair` first.',
    });
  }
  const { state } = await old.chain.members({});
  return { genesis: Genesis.decodeCanonical(encoded), tip, members: state };
}

async function drawn(end: End, { newSet = [], reason = '' }: RecoverOptions, holder: StoppedNode): Promise<Genesis> {
  const { genesis, tip, members } = end;
  const validators = newSet.map((word) => memberKey(word, members));
  const { publicKey } = holder.identity;
  if (!validators.some((key) => sameBytes(key, publicKey))) {
    throw refused(`the new set does not have the key of this node, ${toHex(publicKey)}`, {
      hint: 'Recover on a node that is to be a validator of the new network.',
    });
  }
  const { network, height, digest, stateRoot, applicationRoot } = tip;
  const systemRoot = systemRootOf(recoveredSystemState(members, validators));
  const recovery = { network, height, digest, stateRoot, systemRoot, applicationRoot, reason };
  const unsigned: Genesis = {
    ...genesis,
    nonce: randomBytes(32),
    founder: publicKey,
    validators,
    minValidators: Math.min(genesis.minValidators, validators.length),
    time: Math.max(Date.now(), tip.time + 1),
    recovery: { ...recovery, signature: new Uint8Array(64) },
  };
  const signature = await holder.sign('recovery', network, recoveryContent(unsigned));
  return { ...unsigned, recovery: { ...recovery, signature } };
}

/** The key of a member by its 64 hex digits, its node id, or the name of a learner. */
function memberKey(word: string, { validators, learners }: SystemState): Uint8Array {
  const key = fromHex(word, 32);
  const found = [...validators, ...learners].filter((member) =>
    key === undefined
      ? nodeIdOf(member.publicKey) === word || ('name' in member && member.name === word)
      : sameBytes(member.publicKey, key),
  );
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.publicKey;
  throw refused(`"${word}" is ${found.length === 0 ? 'no member' : 'the name of several members'} of this network`, {
    hint: 'Give public keys or node ids of validators and learners; others join the new network as they joined the old one.',
  });
}

async function givenGenesis({ file, from }: RecoverOptions, io: Io): Promise<Genesis> {
  if (file !== undefined) {
    const path = resolve(io.cwd, file);
    const encoded = await readFile(path).catch((cause: unknown) => {
      throw failure('ERR_CLI_USAGE', `the file ${path} cannot be read: ${messageOf(cause)}`, { cause });
    });
    return Genesis.decodeCanonical(new Uint8Array(encoded));
  }
  const client = createClient({ address: from ?? '' });
  try {
    return Genesis.decodeCanonical((await client.genesis()).genesis);
  } finally {
    client.close();
  }
}

/** Says in words what does not fit, with what can be done; chain checks all of it again. */
function requireFits(genesis: Genesis, { tip, members }: End): void {
  const problem = recoveryProblem(genesis);
  if (problem !== undefined) throw refused(`the genesis ${problem}`);
  const { recovery, founder } = genesis;
  if (recovery === undefined) throw refused(`the network ${toHex(networkOf(genesis))} recovers no other one`);
  if (!sameBytes(recovery.network, tip.network)) {
    throw refused(`it recovers the network ${toHex(recovery.network)}, this node belongs to ${toHex(tip.network)}`);
  }
  if (recovery.height > tip.height) {
    throw refused(`it goes on from block ${recovery.height}, this node has ${tip.height} blocks`, {
      hint: 'Import the blocks in between, or move the data aside (keep node.key and votes.guard) and join the new network.',
    });
  }
  if (recovery.height < tip.height) {
    throw refused(`it goes on from block ${recovery.height}, this node has certified blocks up to ${tip.height}`, {
      hint: `Recover from this node instead; or give those blocks up with \`it-chain chain rollback ${recovery.height}\` first.`,
    });
  }
  if (!sameBytes(recovery.digest, tip.digest)) throw refused(`it goes on from another block of height ${tip.height}`);
  if (!isMemberOf(members, founder)) throw refused(`it is signed by ${toHex(founder)}, which is no member here`);
}

function givenUpBy({ validators }: Genesis, { tip, members }: End, self: Uint8Array): string[] {
  const stays = (key: Uint8Array): boolean => validators.some((one) => sameBytes(one, key));
  const left = members.validators.filter(({ publicKey }) => !stays(publicKey));
  const open = members.proposals.length;
  return [
    'the network before: nodes that still run it go on without this one, and nothing of it is taken in here any more',
    `whatever others may have decided above block ${tip.height}`,
    'transactions that wait: they are rejected here, and their senders sign them again for the new network',
    ...(left.length === 0
      ? []
      : [`the validators ${left.map(({ publicKey }) => nodeIdOf(publicKey)).join(', ')}: they may join again`]),
    ...(open === 0 ? [] : [`${open} proposals that are voted on`]),
    ...(stays(self) ? [] : ['the vote of this node: it is no validator of the new network']),
    ...(validators.length === 2 ? ['crash tolerance: with two validators either one down stops the chain'] : []),
  ];
}

const refused = (what: string, more: { readonly hint?: string } = {}): Error =>
  failure('ERR_RECOVERY_REFUSED', `nothing was changed: ${what}`, more);

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
