// Loaded into a node by `node --import`: each SIGUSR2 begins or ends a CPU profile of its main thread. A profile is
// written to $BENCH_PROFILE_DIR/<pid>-<n>.cpuprofile when it ends.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const INTERVAL_US = 500;

if (isMainThread) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  let running = false;
  let count = 0;
  process.on('SIGUSR2', () => {
    running = !running;
    if (running) {
      session.post('Profiler.start');
      return;
    }
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) throw error;
      count += 1;
      const file = join(process.env.BENCH_PROFILE_DIR ?? '.', `${process.pid}-${count}.cpuprofile`);
      writeFileSync(file, JSON.stringify(result.profile));
    });
  });
}
