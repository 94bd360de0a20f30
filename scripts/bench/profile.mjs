// node scripts/bench/profile.mjs FILE.cpuprofile [--top 40]: where the samples of a CPU profile fell, by package and by
// function; time of a function alone, without what it called.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { top: { type: 'string', default: '40' } },
});
for (const file of positionals) print(file, summarize(JSON.parse(readFileSync(file, 'utf8'))));

function summarize({ nodes, samples, timeDeltas }) {
  const selfOf = new Map();
  for (const [index, id] of samples.entries()) selfOf.set(id, (selfOf.get(id) ?? 0) + timeDeltas[index]);
  const byFunction = new Map();
  const byPackage = new Map();
  let idle = 0;
  let busy = 0;
  for (const { id, callFrame } of nodes) {
    const micros = selfOf.get(id) ?? 0;
    const { functionName, url, lineNumber } = callFrame;
    if (functionName === '(idle)') {
      idle += micros;
      continue;
    }
    busy += micros;
    const where = url === '' ? functionName : packageOf(url);
    add(byPackage, url === '' && !functionName.startsWith('(') ? '(native)' : where, micros);
    const place = url === '' ? '' : `  ${where} ${url.split('/').at(-1)}:${lineNumber + 1}`;
    add(byFunction, `${functionName || '(anonymous)'}${place}`, micros);
  }
  return { idle, busy, byFunction, byPackage };
}

/** `@scope/name` of a dependency, `name` of a package of this repository, `node:module` of Node itself. */
function packageOf(url) {
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/');
  const installed = url.split('/node_modules/').at(-1).split('/');
  if (url.includes('/node_modules/'))
    return installed[0].startsWith('@') ? installed.slice(0, 2).join('/') : installed[0];
  return /\/packages\/([^/]+)\//.exec(url)?.[1] ?? url;
}

function add(map, key, value) {
  map.set(key, (map.get(key) ?? 0) + value);
}

function print(file, { idle, busy, byFunction, byPackage }) {
  const line = ([name, micros]) => `  ${((100 * micros) / busy).toFixed(1).padStart(5)} %  ${name}\n`;
  const sorted = (map) => [...map].sort((a, b) => b[1] - a[1]);
  const total = `${(busy / 1e6).toFixed(2)} s busy, ${(idle / 1e6).toFixed(2)} s idle`;
  process.stdout.write(`${file}: ${total}\n by package\n${sorted(byPackage).slice(0, 25).map(line).join('')}`);
  process.stdout.write(` by function\n${sorted(byFunction).slice(0, Number(values.top)).map(line).join('')}`);
}
