import { expect } from 'chai';
import fc from 'fast-check';
import { failure, type Clock } from '@it-chain/contracts';
import { Logs, redact, redactText, type LogOptions } from '@it-chain/kernel';

/** A clock that moves when told to. */
class HandClock implements Clock {
  time = 1_000;
  readonly #timers: { readonly every: number; readonly run: () => void; next: number }[] = [];
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
  after(): () => void {
    return () => undefined;
  }
  every(ms: number, run: () => void): () => void {
    const timer = { every: ms, run, next: this.time + ms };
    this.#timers.push(timer);
    return () => void this.#timers.splice(this.#timers.indexOf(timer), 1);
  }
  sleep(): Promise<void> {
    return Promise.resolve();
  }
  pass(ms: number): void {
    this.time += ms;
    for (const timer of this.#timers) {
      while (timer.next <= this.time) {
        timer.next += timer.every;
        timer.run();
      }
    }
  }
}

describe('logs', () => {
  let clock: HandClock;
  let text: string[];
  beforeEach(() => {
    clock = new HandClock();
    text = [];
  });

  const make = (more: Partial<LogOptions> = {}) =>
    new Logs(
      {
        level: 'info',
        levels: {},
        pretty: false,
        destination: { write: (line: string) => void text.push(line) },
        ...more,
      },
      { clock },
    );
  const lines = () => text.map((line) => JSON.parse(line) as Record<string, unknown>);

  it('writes one JSON line with time, level, plugin, nodeId, fields and msg', () => {
    const logs = make();
    logs.bindNode('abc');
    logs.of('txpool').warn('the pool is full', { size: 5, level: 'mine' });
    expect(lines()).to.deep.equal([
      {
        level: 'warn',
        time: '1970-01-01T00:00:01.000Z',
        plugin: 'txpool',
        nodeId: 'abc',
        size: 5,
        level_: 'mine',
        msg: 'the pool is full',
      },
    ]);
  });

  it('has levels by plugin, changed at run time', () => {
    const logs = make({ level: 'warn', levels: { p2p: 'debug', noisy: 'silent' } });
    const tell = () =>
      ['p2p', 'noisy', 'chain'].forEach((plugin) =>
        (['debug', 'info', 'error'] as const).forEach((level) => logs.of(plugin)[level](`${plugin} ${level}`)),
      );
    tell();
    expect(lines().map(({ msg }) => msg)).to.deep.equal(['p2p debug', 'p2p info', 'p2p error', 'chain error']);
    text = [];
    logs.setLevel('info');
    logs.setLevel('error', 'p2p');
    tell();
    expect(lines().map(({ msg }) => msg)).to.deep.equal(['p2p error', 'chain info', 'chain error']);
  });

  it('tells an error as code, message and hint; its stack at debug only', () => {
    const error = failure('ERR_STORAGE_IO', 'disk full', { hint: 'free space', cause: new Error('ENOSPC') });
    make().of('store').error('cannot write', { error });
    expect(lines()[0]).to.deep.include({
      code: 'ERR_STORAGE_IO',
      error: 'disk full',
      hint: 'free space',
      cause: 'ENOSPC',
      msg: 'cannot write',
    });
    expect(lines()[0]).to.not.have.property('stack');
    make({ level: 'debug' }).of('store').error('cannot write', { error });
    expect(lines()[1]).to.have.property('stack').that.contains('disk full');
  });

  it('counts repeats instead of writing them, and tells the count once', () => {
    const logs = make({ repeats: { burst: 3, windowMs: 1_000, maxKinds: 10 } });
    for (let i = 0; i < 127; i += 1) logs.of('p2p').warn('a dial failed', { peer: i });
    logs.of('p2p').warn('something else');
    logs.of('chain').warn('a dial failed');
    expect(lines().map(({ msg }) => msg)).to.deep.equal([
      'a dial failed',
      'a dial failed',
      'a dial failed',
      'something else',
      'a dial failed',
    ]);
    clock.pass(1_000);
    expect(lines().at(-1)).to.deep.include({
      plugin: 'p2p',
      msg: 'a dial failed (repeated 124 x)',
      repeated: 124,
      peer: 126,
    });
    clock.pass(5_000);
    expect(lines()).to.have.length(6);
    logs.close();
  });

  it('loses no line in the counting: written and repeated add up', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(400)), { maxLength: 200 }), (calls) => {
        text = [];
        const logs = make({ repeats: { burst: 2, windowMs: 1_000, maxKinds: 3 } });
        for (const [kind, wait] of calls) {
          logs.of('x').info(kind);
          clock.pass(wait);
        }
        logs.close();
        const sum = lines().reduce(
          (total, line) => total + (typeof line['repeated'] === 'number' ? line['repeated'] : 1),
          0,
        );
        expect(sum).to.equal(calls.length);
      }),
      { numRuns: 100 },
    );
  });

  it('is for people when pretty', () => {
    make({ pretty: true }).of('txpool').info('ready');
    expect(text.join('')).to.match(/INFO.*ready[^]*plugin: "txpool"/);
  });

  describe('redaction', () => {
    it('masks by name', () => {
      const secrets = {
        key: 'x',
        apiKey: 'x',
        api_token: 'x',
        password: 'x',
        passwd: 'x',
        clientSecret: 'x',
        privateKey: 'x',
        seed: 'x',
        authorization: 'x',
        refreshTokens: 'x',
        accesstoken: 'x',
        'private-key-pem': 'x',
      };
      for (const [name, value] of Object.entries(redact(secrets) as object)) expect(value, name).to.equal('***');
      const open = { publicKey: 'x', routingKey: 'x', keys: 3, keyspace: 'app', monkey: 'x', name: 'x', height: 5 };
      expect(redact(open)).to.deep.equal(open);
    });

    it('masks by form', () => {
      expect(redactText('connect amqp://bob:s3cret@host/v failed')).to.equal('connect amqp://bob:***@host/v failed');
      expect(redactText('-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----')).to.equal('***');
      expect(redactText('Authorization: Bearer abcdefghijk')).to.equal('Authorization: Bearer ***');
    });

    it('cuts long text without cutting a secret open', () => {
      const text = `${'x'.repeat(1_980)} amqp://bob:${'s'.repeat(500)}@host ${'y'.repeat(1_000_000)}`;
      expect(redactText(text)).to.contain('amqp://bob:***').and.not.contain('sss');
      expect(redactText(text).length).to.be.lessThan(2_100);
    });

    it('keeps short bytes as hex and long ones as their count', () => {
      expect(redact({ digest: new Uint8Array([1, 255]), body: new Uint8Array(100) })).to.deep.equal({
        digest: '01ff',
        body: '<100 bytes>',
      });
    });

    it('takes any value, also one that contains itself or throws', () => {
      const loop: Record<string, unknown> = { a: 1 };
      loop['loop'] = loop;
      const hostile = {
        get bad(): string {
          throw new Error('no');
        },
      };
      expect(() =>
        JSON.stringify([redact(loop), redact(hostile), redact(new Map([['k', 1n]])), redact(() => 1)]),
      ).to.not.throw();
      fc.assert(
        fc.property(
          fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
          (value) => {
            make().of('x').info('any', { value });
            expect(() => lines()).to.not.throw();
          },
        ),
        { numRuns: 200 },
      );
    });
  });
});
