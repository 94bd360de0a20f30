import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeService, catalogue, errorCatalogue, printProto, printService } from '@it-chain/contracts';

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'catalogue' ? [] : sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Codes of the standalone AMQP server are its own; its README lists them. */
function usedCodes(): Set<string> {
  const codes = new Set<string>();
  for (const name of readdirSync(packages)) {
    if (name === 'amqp-server') continue;
    for (const file of sources(join(packages, name, 'src'))) {
      for (const [, code] of readFileSync(file, 'utf8').matchAll(/['"`](ERR_[A-Z0-9_]+)['"`]/g)) codes.add(code ?? '');
    }
  }
  return codes;
}

describe('error catalogue', () => {
  it('has every code that the code uses', () => {
    // Codes of Node itself that our code looks at.
    const foreign = new Set([
      'ERR_MODULE_NOT_FOUND',
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
      'ERR_UNSUPPORTED_DIR_IMPORT',
      'ERR_REQUIRE_ESM',
      'ERR_PARSE_ARGS_',
    ]);
    // What suites let a plugin of somebody else say.
    const isAcme = (code: string): boolean => code.startsWith('ERR_ACME_');
    const unknown = [...usedCodes()].filter((code) => !(code in errorCatalogue) && !foreign.has(code) && !isAcme(code));
    expect(unknown).to.deep.equal([]);
  });

  it('has no code that nobody uses', () => {
    const used = usedCodes();
    expect(Object.keys(errorCatalogue).filter((code) => !used.has(code))).to.deep.equal([]);
  });

  it('says of each code when it is seen and what to do', () => {
    for (const [code, { when, fix }] of Object.entries(errorCatalogue)) {
      expect(code).to.match(/^ERR_[A-Z0-9]+(_[A-Z0-9]+)*$/);
      expect(when.length, code).to.be.greaterThan(15);
      expect(fix.length, code).to.be.greaterThan(5);
    }
  });
});

describe('message catalogue', () => {
  it('names each call and event once, as <domain>.<verb>', () => {
    const names = catalogue.flatMap((role) =>
      [...Object.values(role.calls), ...Object.values(role.events)].map(({ name }) => name),
    );
    expect(new Set(names).size).to.equal(names.length);
    for (const name of names) expect(name).to.match(/^[a-z][a-zA-Z]*(\.[a-z][a-zA-Z]*)+$/);
  });

  it('prints .proto files in which every name means one thing', () => {
    const bodies = catalogue.flatMap((role) => [
      ...Object.values(role.calls).flatMap((call) => [call.in, call.out]),
      ...Object.values(role.events).map((event) => event.body),
    ]);
    expect(printProto('itchain.bus.v1', bodies)).to.include('message ChainTip {');
    const methods = Object.values(NodeService.methods).flatMap((method) => [method.in, method.out]);
    expect(printProto('itchain.v1', methods, printService(NodeService))).to.include(
      'rpc GetStatus(Done) returns (StatusReply);',
    );
  });
});
