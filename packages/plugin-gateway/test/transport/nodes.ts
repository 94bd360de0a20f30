import { mkdtempSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, NoticeDefinition } from '@it-chain/contracts';
import { FakeContext } from '@it-chain/testkit';
import { PeersConfig } from '../../src/transport/peers-config.js';
