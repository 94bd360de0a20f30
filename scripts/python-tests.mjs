// The plugins in Python, against real nodes. Python, its packages and RabbitMQ are installed where they are absent (Debian, as
// root; PyPI); without RabbitMQ its part is left out.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

const EXAMPLES = ['audit-python', 'application-python'];

setup('all');
const run = (command, args, options = {}) => spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options });
// A virtual environment needs the module ensurepip, which Debian keeps in a package of its own.
const hasPython = () => run('python3', ['-c', 'import venv, ensurepip, sqlite3'], { stdio: 'ignore' }).status === 0;

if (!hasPython() && process.getuid?.() === 0) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['-qq', 'update'], { env });
  run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', 'python3', 'python3-venv'], { env });
}
if (!hasPython()) {
  process.stdout.write('skipped: there is no Python 3 with venv here, and it cannot be installed\n');
  process.exit(0);
}
for (const example of EXAMPLES) {
  const { status } = run('sh', [join('examples', example, 'setup.sh')]);
  if (status === 0) continue;
  process.stdout.write(`skipped: the packages of examples/${example} cannot be installed (see above)\n`);
  process.exit(0);
}
for (const example of EXAMPLES) {
  const folder = join(root, 'examples', example);
  const { status } = run(
    join(folder, '.venv', 'bin', 'python'),
    ['-m', 'unittest', 'discover', '-s', 'tests', '-t', '.'],
    {
      cwd: folder,
    },
  );
  if (status !== 0) process.exit(status ?? 1);
}
const { hasRabbitMq, installRabbitMq } = await import(
  pathToFileURL(join(root, 'test', 'dist', 'support', 'rabbitmq.js')).href
);
if (process.getuid?.() === 0) installRabbitMq();
if (!hasRabbitMq()) process.stdout.write('left out: the part on RabbitMQ, which is not installed\n');
const tests = ['audit', 'application', 'compliance', 'rabbitmq'].map((name) =>
  join('test', 'dist', `python-${name}.test.js`),
);
const { status } = run(process.execPath, [join(root, 'scripts', 'test.mjs'), ...tests, ...process.argv.slice(2)], {
  env: { ...process.env, PYTHON_EXAMPLES: '1', ...(hasRabbitMq() ? { RABBITMQ: '1' } : {}) },
});
process.exit(status ?? 1);
