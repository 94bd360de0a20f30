import type { Role } from '../plugin/role.js';
import { Application } from './application.js';
import { Chain } from './chain.js';
import { Consensus } from './consensus.js';
import { Identity } from './identity.js';
import { P2p } from './p2p.js';
import { Storage } from './storage.js';
import { Transport } from './transport.js';
import { TxPool } from './txpool.js';

/** All roles of the framework: docs/bus.md, docs/asyncapi.yaml and the `.proto` files are generated from it. */
export const catalogue: readonly Role[] = [Identity, Storage, Transport, P2p, TxPool, Application, Chain, Consensus];
