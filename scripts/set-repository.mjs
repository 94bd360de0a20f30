// Run by `lerna version` before it commits a release: writes where the repository is, which is the remote `origin`, into
// every package. npm's provenance compares that with where the package was built.
//   --root DIR   the checkout, default this one
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './setup.mjs';

const { values } = parseArgs({ options: { root: { type: 'string', default: root } } });
const git = (...args) => {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: values.root, encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  process.stderr.write(`git ${args.join(' ')}: ${stderr}`);
  process.exit(1);
};
const url = repositoryUrl(git('remote', 'get-url', 'origin'));
const folder = join(values.root, 'packages');
for (const name of readdirSync(folder)) {
  const file = join(folder, name, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.repository = { type: 'git', url, directory: `packages/${name}` };
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
git('add', 'packages/*/package.json');

/** `git+https://host/owner/name.git`, without credentials, from what git may have as a remote. */
function repositoryUrl(remote) {
  const [, host, path] =
    /^(?:ssh:\/\/)?git@([^/:]+)[/:](.+?)(?:\.git)?\/?$/.exec(remote) ??
    /^https?:\/\/(?:[^@/]+@)?([^/]+)\/(.+?)(?:\.git)?\/?$/.exec(remote) ??
    [];
  if (host !== undefined) return `git+https://${host}/${path}.git`;
  process.stderr.write(
    `the remote origin is ${remote}; packages need one that npm knows: git@HOST:OWNER/NAME or https\n`,
  );
  process.exit(1);
}
