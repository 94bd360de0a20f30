import { expect } from 'chai';
import { failure } from '@it-chain/contracts';
import type { Io } from '@it-chain/cli';
import { Printer } from '../dist/terminal/printer.js';
import { reportError } from '../dist/terminal/report-error.js';

/** The name of a joiner: it would clear the line and show another key instead. */
const NAME = 'joiner\u001b[2K\r\u009b1Aadmit somebody else\u202e\u0007';
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

function terminal(tty: boolean): { readonly io: Io; readonly said: () => string } {
  let said = '';
  const say = (text: string): void => void (said += text);
  const signals = { onSignal: () => () => undefined, exit: () => undefined };
  return { io: { out: say, err: say, env: {}, cwd: '/', tty, ...signals } as unknown as Io, said: () => said };
}

describe('what others wrote, on the terminal of an operator', () => {
  it('is shown, not obeyed', () => {
    for (const color of [true, false]) {
      const { io, said } = terminal(true);
      const printer = new Printer({ json: false, color }, io);
      printer.line(NAME);
      printer.text(printer.pairs([['name', NAME]]));
      printer.result({}, () => printer.table(['name'], [[printer.color.green(NAME)]]));
      expect(said().replaceAll(/\u001b\[(?:2|22|32|39)m/g, '')).to.not.match(OBEYED);
      expect(said().split('joiner\\u001b[2K\\u000d\\u009b1Aadmit').length).to.equal(4);
      expect(said().includes('\u001b[32m'), 'colours of the printer').to.equal(color);
    }
  });

  it('makes no row of its own in a table', () => {
    const { io } = terminal(false);
    const printer = new Printer({ json: false, color: false }, io);
    const text = printer.table(['node', 'name'], [['a', 'x\nb  a validator\t\r']]);
    expect(text.split('\n')).to.have.length(2);
  });

  it('is the same text in JSON', () => {
    const { io, said } = terminal(true);
    new Printer({ json: true, color: false }, io).data({ name: NAME });
    expect(said()).to.not.match(OBEYED);
    expect(JSON.parse(said())).to.deep.equal({ name: NAME });
  });

  it('goes into a file as it is', () => {
    const { io, said } = terminal(false);
    new Printer({ json: false, color: false }, io).text(NAME);
    expect(said()).to.equal(`${NAME}\n`);
  });

  it('is harmless in errors, too', () => {
    for (const json of [true, false]) {
      const { io, said } = terminal(true);
      reportError(failure('ERR_JOIN_REFUSED', NAME, { hint: NAME }), { json, verbose: true }, io);
      expect(said()).to.contain('joiner').and.not.match(OBEYED);
    }
  });
});
