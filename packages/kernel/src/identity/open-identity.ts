import { join } from 'node:path';
import {
  nodeIdOf,
  Identity,
  type Bus,
  type Clock,
  type Failpoint,
  type Log,
  type NodeIdentity,
  type Registration,
} from '@it-chain/contracts';
import { serveRole } from '../context/role-server.js';
import { openKeyFile } from './key-file.js';
import { Signer } from './signer.js';
import { VoteGuard } from './vote-guard.js';

/** Where the key and the guard are, and who the node is. */
export interface OpenIdentityOptions {
  /** The node's data directory; `node.key` and `votes.guard` are in it. It must exist. */
  readonly dataDir: string;
  /** The operator's name for the node. */
  readonly name: string;
  readonly clock: Clock;
  /** Goes on with what can still be read of a damaged guard; the damaged file is kept beside it. */
  readonly acceptDoubleSignRisk: boolean;
  /** Gets the warnings of a guard that was cut or salvaged, and the details of unexpected failures. */
  readonly log?: Log | undefined;
  readonly failpoint?: Failpoint | undefined;
}

/** The one place of a node that holds its key. */
export interface OpenIdentity {
  readonly identity: NodeIdentity;
  /** Serves the role identity. @throws ERR_ROLE_TAKEN where another process of this node holds the key */
  serve(bus: Bus): Promise<Registration>;
  /** Waits for votes under way and closes the guard. Safe to call twice. */
  close(): Promise<void>;
}

const noLog: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Opens the node's key, or makes one at first boot, and the guard of signed votes.
 * @throws ERR_IDENTITY_KEY_PERMISSIONS, ERR_IDENTITY_KEY_DAMAGED, ERR_IDENTITY_GUARD_DAMAGED, ERR_IDENTITY_UNREADABLE
 */
export async function openIdentity(options: OpenIdentityOptions): Promise<OpenIdentity> {
  const { dataDir, name, clock, acceptDoubleSignRisk, log = noLog, failpoint } = options;
  const keys = await openKeyFile(join(dataDir, 'node.key'));
  const guard = await VoteGuard.open(
    { path: join(dataDir, 'votes.guard'), acceptDoubleSignRisk },
    { clock, log, failpoint },
  );
  const identity: NodeIdentity = { nodeId: nodeIdOf(keys.publicKey), publicKey: keys.publicKey, name };
  const signer = new Signer({ identity }, { keys, guard });
  return {
    identity,
    serve: (bus) => serveRole(bus, Identity, signer, log),
    close: () => guard.close(),
  };
}
