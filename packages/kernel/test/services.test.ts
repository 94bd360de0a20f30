import { expect } from 'chai';
import { keyPairFromSeed, signBytes, utf8, type SignatureCheck } from '@it-chain/contracts';
import { createMetrics, createVerifier, SystemClock } from '@it-chain/kernel';

const keys = keyPairFromSeed(new Uint8Array(32).fill(3));
function check(index: number, valid: boolean): SignatureCheck {
  const message = utf8(`message ${index}`);
  const signature = signBytes(message, keys.secretKey);
  return { publicKey: keys.publicKey, message, signature: valid ? signature : signature.map((byte) => byte ^ 1) };
}

describe('verifier', () => {
  it('gives one verdict each, in order, for small and large batches', async () => {
    for (const startBatch of [0, 256]) {
      const verifier = createVerifier({ startBatch });
      for (const size of [0, 1, 7, 8, 100]) {
        const checks = Array.from({ length: size }, (_, index) => check(index, index % 3 !== 0));
        expect(await verifier.verify(checks)).to.deep.equal(checks.map((_, index) => index % 3 !== 0));
      }
      await verifier.close();
    }
  });

  it('calls a check of a wrong length invalid and goes on with the others', async () => {
    const verifier = createVerifier({ startBatch: 0 });
    const checks = Array.from({ length: 20 }, (_, index) =>
      index === 4 ? { ...check(index, true), signature: new Uint8Array(63) } : check(index, true),
    );
    expect(await verifier.verify(checks)).to.deep.equal(checks.map((_, index) => index !== 4));
    await verifier.close();
  });

  it('does not change or take away the bytes it was given', async () => {
    const verifier = createVerifier({ startBatch: 0 });
    const checks = Array.from({ length: 10 }, (_, index) => check(index, true));
    await verifier.verify(checks);
    expect(checks.every(({ signature, message }) => signature.length === 64 && message.length > 0)).to.equal(true);
    await verifier.close();
  });

  it('refuses what its queue cannot hold, and may be asked again', async () => {
    const verifier = createVerifier({ maxQueued: 30, startBatch: 0 });
    const checks = Array.from({ length: 20 }, (_, index) => check(index, true));
    const first = verifier.verify(checks);
    let code = 'none';
    try {
      await verifier.verify(checks);
    } catch (error) {
      code = (error as { code: string }).code;
    }
    expect(code).to.equal('ERR_PLUGIN_VERIFIER_FULL');
    expect(await first).to.deep.equal(checks.map(() => true));
    expect(await verifier.verify(checks)).to.deep.equal(checks.map(() => true));
    await verifier.close();
  });

  it('verifies on the spot while its thread starts, and on the thread once that is up', async () => {
    const verifier = createVerifier({ maxQueued: 30 });
    const checks = Array.from({ length: 20 }, (_, index) => check(index, index !== 7));
    // What waits for a thread would not fit twice: none of these waits.
    const early = await Promise.all([verifier.verify(checks), verifier.verify(checks)]);
    for (const verdicts of early) expect(verdicts).to.deep.equal(checks.map((_, index) => index !== 7));
    for (let full = false; !full;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const both = await Promise.allSettled([verifier.verify(checks), verifier.verify(checks)]);
      full = both[1].status === 'rejected';
    }
    await verifier.close();
  });

  it('finishes what is under way when it is closed, and verifies on the spot afterwards', async () => {
    const verifier = createVerifier({ startBatch: 0 });
    const checks = Array.from({ length: 500 }, (_, index) => check(index, index !== 7));
    const pending = verifier.verify(checks);
    await verifier.close();
    expect((await pending).filter((verdict) => !verdict)).to.have.length(1);
    expect(await verifier.verify(checks.slice(0, 10))).to.have.length(10);
  });
});

describe('metrics', () => {
  it('gives one metric for one name and prints it', async () => {
    const metrics = createMetrics();
    metrics.counter('test_things_total', 'Things.', ['kind']).add(2, { kind: 'a' });
    metrics.counter('test_things_total', 'Things.', ['kind']).add(1, { kind: 'a' });
    metrics.gauge('test_size', 'Size.').set(7);
    metrics.histogram('test_seconds', 'Time.', { buckets: [1, 2] }).observe(1.5);
    const text = await metrics.text();
    expect(text).to.contain('test_things_total{kind="a"} 3');
    expect(text).to.contain('test_size 7');
    expect(text).to.contain('test_seconds_bucket{le="2"} 1');
    expect(text).to.contain('process_resident_memory_bytes');
    metrics.close();
  });

  it('keeps the suffix _total for counters', async () => {
    const metrics = createMetrics();
    const gauges = (await metrics.text()).matchAll(/^# TYPE (\S+) gauge$/gm);
    expect([...gauges].map(([, name]) => name).filter((name) => name?.endsWith('_total'))).to.deep.equal([]);
    metrics.close();
  });

  it('does not wake the process to watch the event loop: it tells the delay when it is asked', async () => {
    const metrics = createMetrics();
    const text = await metrics.text();
    expect(text).to.contain('nodejs_eventloop_lag_seconds');
    expect(text).to.not.match(/nodejs_eventloop_lag_(?:min|max|mean|stddev|p\d\d)_/);
    metrics.close();
  });

  it('is a registry of its own', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.gauge('test_only_here', 'Here.').set(1);
    expect(await other.text()).to.not.contain('test_only_here');
    one.close();
    other.close();
  });
});

describe('system clock', () => {
  it('sleeps, and wakes early when the signal aborts', async () => {
    const clock = new SystemClock();
    await clock.sleep(1);
    const abort = new AbortController();
    const sleeping = clock.sleep(3_600_000, abort.signal);
    abort.abort();
    await sleeping;
    await clock.sleep(3_600_000, abort.signal);
  });

  it('does not fire a wait that is longer than a timer holds, and cancels it', async () => {
    const clock = new SystemClock();
    let fired = false;
    const cancel = clock.after(2_147_483_648, () => {
      fired = true;
    });
    await clock.sleep(5);
    cancel();
    expect(fired).to.equal(false);
  });
});
