import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '@it-chain/contracts';
import { codePlaceOf } from '../terminal/code-place.js';

/** The folder of this command's own modules: what they end, they have told. */
const OWN = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Tells of a process that ends by `process.exit` of a plugin, or of a library, while a node runs in it, and makes its exit
 * code 1: a plugin's own code could mean anything, 0 among it. The result stops watching.
 */
export function watchExit(tell: (error: Error) => void): () => void {
  const onExit = (code: number): void => {
    // The listener runs inside the call of process.exit, so whoever called it is on the stack.
    const place = codePlaceOf(new Error().stack, [fileURLToPath(import.meta.url)]);
    if (place === undefined || place.startsWith(OWN)) return;
    process.exitCode = 1;
    tell(
      failure('ERR_NODE_EXITED', `process.exit(${String(code)}) was called at ${place} while the node was running`, {
        data: { place, code },
      }),
    );
  };
  process.on('exit', onExit);
  return () => process.off('exit', onExit);
}
