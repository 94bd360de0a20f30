// Sets the checkout up, then becomes the command `it-chain` in this very process, so that signals reach it.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

setup('src');
await import(pathToFileURL(join(root, 'packages', 'cli', 'dist', 'bin.js')).href);
