/// <reference types="mocha" />
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callAddress, isItChainError, roleAddress, z, type AnyCall, type Plugin, type Role } from '@it-chain/contracts';
import { checkConfig, SystemClock, type Problem } from '@it-chain/kernel';
import { MemoryStorage } from '../doubles/memory-storage.js';
import { PluginHost, type PluginHostOptions } from '../host/plugin-host.js';
import { until } from './until.js';

/** What the suite is told about a plugin. */
export interface PluginUnderTest extends Pick<PluginHostOptions, 'config' | 'role' | 'roles'> {
  /** Promises that are left out, with the reason for the reader: `{ G6: 'needs a broker' }`. */
  readonly without?: Readonly<Record<string, string>>;
}

/** What every plugin promises, whatever its roles. */
export const PLUGIN_PROMISES = {
  G1: 'a node accepts its manifest',
  G2: 'an unknown key and a value of the wrong kind in its section are refused with a code',
  G3: 'setup only records: it calls nobody and starts no timer',
  G4: 'it serves exactly the roles that it declares, with every call of theirs',
  G5: 'it asks for no role that its manifest does not name',
  G6: 'it starts and stops, and starts again on what it left',
  G7: 'it stops after a start that failed, and without one',
  G8: 'after its stop nothing is left: no timer, no socket, no file that is watched',
  G9: 'a request that makes no sense is answered, or refused with a code',
} as const;

/** Deadline of a request of the suite, in ms. Running into it is an answer with a code too. */
const ASK_MS = 1_000;

/** Resources of Node that come and go by themselves. */
const PASSING = /^(?:FSReq|TTYWrap|Immediate|CloseReq|ShutdownWrap|WriteWrap|Microtask|ConnectWrap|GetAddrInfo)/;

/**
 * The compliance suite of any plugin. Call it inside `describe`; the titles are {@link PLUGIN_PROMISES}. The plugin runs
 * in a real context, on a bus in memory, among doubles of the other roles; it gets a data directory of its own.
 */
export function testPlugin(plugin: Plugin, options: PluginUnderTest = {}): void {
  let dataDir: string;
  let storage: MemoryStorage;
  const hosts: PluginHost[] = [];
  const promise = (number: keyof typeof PLUGIN_PROMISES, test: () => Promise<void>): void => {
    if (options.without?.[number] !== undefined) return;
    it(`${number}: ${PLUGIN_PROMISES[number]}`, async function () {
      this.timeout(20_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6));
      await test();
    });
  };
  const host = async (more: PluginHostOptions = {}): Promise<PluginHost> => {
    const made = await PluginHost.create(plugin, { ...options, dataDir, storage, ...more });
    hosts.push(made);
    return made;
  };

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'it-chain-plugin-'));
    storage = new MemoryStorage();
  });
  afterEach(async () => {
    // What a failed test left running must not disturb the next one; its errors are those of that test.
    await Promise.allSettled(hosts.splice(0).map((one) => one.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  });

  promise('G1', async () => {
    expect(await problemsOf(plugin, options, options.config)).to.deep.equal([]);
    expect(plugin.version).to.match(/^\d+\.\d+\.\d+/, 'version is semantic');
    expect(
      Object.keys(z.toJSONSchema(plugin.config ?? z.object({}), { io: 'input', unrepresentable: 'any' })),
    ).to.include('type', 'config is a table of settings');
  });

  promise('G2', async () => {
    const settings = typeof options.config === 'object' && options.config !== null ? options.config : {};
    const unknown = { ...settings, 'no-such-setting': 1 };
    expect(codesOf(await problemsOf(plugin, options, unknown)), 'an unknown key').to.deep.equal(['ERR_CONFIG_INVALID']);
    for (const [key, wrong] of wrongValues(plugin)) {
      const problems = await problemsOf(plugin, options, { ...settings, [key]: wrong });
      expect(codesOf(problems), `${key}: ${JSON.stringify(wrong)}`).to.include('ERR_CONFIG_INVALID');
    }
  });

  promise('G3', async () => {
    const one = await host();
    await one.setup();
    expect(one.offences).to.deep.equal([]);
    expect(one.clock.pending, 'timers after setup').to.deep.equal([]);
  });

  promise('G4', async () => {
    const one = await host();
    await one.setup();
    const played = plugin.provides.filter(({ name }) => options.role === undefined || name === options.role);
    expect(one.served.map(roleAddress).sort()).to.deep.equal(played.map(roleAddress).sort());
  });

  promise('G5', async () => {
    const one = await host();
    await one.setup();
    await one.start();
    await one.stop();
    expect(one.offences).to.deep.equal([]);
  });

  promise('G6', async () => {
    for (const life of ['first', 'second']) {
      const one = await host();
      await one.setup();
      await one.start();
      for (const role of one.served) expect(await reachable(one, role), `${life} life: ${role.name}`).to.equal(true);
      await one.stop();
      expect(
        one.fatals.map(({ error }) => error.message),
        `${life} life: ended the node`,
      ).to.deep.equal([]);
    }
  });

  promise('G7', async () => {
    for (const [what, more, start] of [
      ['without a start', {}, false],
      ['with no other role there', { served: false }, true],
      ['on a disk that cannot be written', { dataDir: undefined }, true],
    ] as const) {
      const before = await resources();
      const one = await host(more);
      try {
        await one.setup();
        if (start) await one.start();
      } catch (error) {
        // That it fails is what is wanted; what counts is the stop behind it.
        expect(error, what).to.be.an.instanceOf(Error);
      }
      await one.stop();
      await nothingLeft(one, before, what);
    }
  });

  promise('G8', async () => {
    const before = await resources();
    const one = await host();
    await one.setup();
    await one.start();
    await one.stop();
    await nothingLeft(one, before, 'after its stop');
  });

  promise('G9', async () => {
    const one = await host();
    await one.setup();
    await one.start();
    const outcomes: string[] = [];
    for (const role of one.served) {
      for (const call of Object.values(role.calls)) outcomes.push(...(await nonsense(one, role, call)));
    }
    await one.stop();
    expect(outcomes.filter((outcome) => outcome.endsWith('ERR_INTERNAL'))).to.deep.equal([]);
    expect(one.fatals.map(({ error }) => error.message)).to.deep.equal([]);
  });
}

const codesOf = (problems: readonly Problem[]): string[] => [...new Set(problems.map(({ code }) => code))];

/** What a node would say about a config of this plugin alone; that others are missing is not its fault. */
async function problemsOf(plugin: Plugin, { role }: PluginUnderTest, config: unknown): Promise<readonly Problem[]> {
  const entry = {
    use: plugin,
    ...(role === undefined ? {} : { role }),
    ...(config === undefined ? {} : { with: config }),
  };
  const problems = await checkConfig(
    { cwd: tmpdir(), config: { plugins: [entry] }, env: {}, defaults: { plugins: [] } },
    new SystemClock(),
  );
  return problems.filter(({ code }) => code !== 'ERR_PLUGIN_ROLE_MISSING');
}

/** For every setting with a kind a value of another one. */
function wrongValues(plugin: Plugin): [string, unknown][] {
  const schema = z.toJSONSchema(plugin.config ?? z.object({}), { io: 'input', unrepresentable: 'any' });
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]): [string, unknown][] => {
    const kind = typeof property === 'object' ? property.type : undefined;
    if (kind === undefined) return [];
    return [[key, kind === 'array' || kind === 'object' ? 'text' : ['a list']]];
  });
}

/** True where the role answers over the bus, be it with a refusal. */
async function reachable(host: PluginHost, role: Role): Promise<boolean> {
  const calls = Object.values(role.calls);
  const call = calls.find(({ kind }) => kind === 'query') ?? calls[0];
  if (call === undefined) return true;
  const outcome = await ask(host, role, call, new Uint8Array(0));
  return outcome !== 'ERR_BUS_NO_PROVIDER';
}

/** Bytes that are no request of this call, or one of a strange kind. */
async function nonsense(host: PluginHost, role: Role, call: AnyCall): Promise<string[]> {
  const bodies = [
    new Uint8Array(0),
    new Uint8Array([0xff]),
    new Uint8Array(64).fill(0x0a),
    new Uint8Array(1_000).fill(0x80),
    new Uint8Array(Buffer.from('{"json":true}')),
  ];
  const outcomes: string[] = [];
  for (const body of bodies) {
    outcomes.push(
      `${call.name} ${Buffer.from(body.subarray(0, 8)).toString('hex')}: ${await ask(host, role, call, body)}`,
    );
  }
  return outcomes;
}

/** The code of the error, or `answered`. */
async function ask(host: PluginHost, role: Role, call: AnyCall, body: Uint8Array): Promise<string> {
  try {
    await host.bus.request(roleAddress(role), callAddress(role, call), body, { timeoutMs: ASK_MS });
    return 'answered';
  } catch (error) {
    return isItChainError(error) ? error.code : 'ERR_INTERNAL';
  }
}

/** What keeps the process alive, by kind. */
async function resources(): Promise<ReadonlyMap<string, number>> {
  // The test runner's own timer is set when the test has returned for the first time.
  await new Promise((resolve) => setImmediate(resolve));
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (!PASSING.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

async function nothingLeft(host: PluginHost, before: ReadonlyMap<string, number>, when: string): Promise<void> {
  const left = async (): Promise<string[]> => [
    ...host.clock.pending,
    ...[...(await resources())].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind),
  ];
  try {
    await until('everything is closed', async () => (await left()).length === 0);
  } catch {
    expect(await left(), `what is left ${when}`).to.deep.equal([]);
  }
}
