// The simulators: builds what changed, then runs seeds. `npm run sim` without arguments says how.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

setup('all');
await import(pathToFileURL(join(root, 'test', 'dist', 'sim', 'main.js')).href);
