import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (command: string, ...args: string[]): void => {
  execFileSync(command, args, { stdio: 'ignore' });
};

/** A file system of its own, in memory or on a loop device. */
export interface Mounted {
  readonly path: string;
  unmount(): void;
}

/** Mounts a file system in memory of this many MiB. */
export function mountMemory(path: string, mib: number): Mounted {
  mkdirSync(path, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', path);
  return { path, unmount: () => run('umount', path) };
}

/** Makes an image with an ext4 file system. */
export function makeImage(image: string, mib: number): void {
  run('truncate', '-s', `${mib}M`, image);
  run('mkfs.ext4', '-q', image);
}

/** Mounts an image on a loop device. */
export function mountImage(image: string, path: string): Mounted {
  mkdirSync(path, { recursive: true });
  run('mount', '-o', 'loop', image, path);
  return { path, unmount: () => run('umount', path) };
}

/** What an image holds now: what has reached the device, and nothing that is still in memory. */
export function copyImage(from: string, to: string): void {
  run('cp', '--sparse=always', from, to);
}

/** Why this machine cannot do it, or undefined where it can. */
export function missing(what: 'memory' | 'loop' | 'strace'): string | undefined {
  if (what === 'strace') {
    const { status } = spawnSync('strace', ['-qq', '-o', '/dev/null', '-e', 'trace=none', 'true'], { stdio: 'ignore' });
    return status === 0 ? undefined : 'strace is not installed, or may not trace here';
  }
  if (process.getuid?.() !== 0) return 'mounting needs root';
  const dir = mkdtempSync(join(tmpdir(), 'it-chain-mount-'));
  try {
    if (what === 'memory') mountMemory(join(dir, 'm'), 1).unmount();
    else {
      makeImage(join(dir, 'i.img'), 8);
      mountImage(join(dir, 'i.img'), join(dir, 'm')).unmount();
    }
    return undefined;
  } catch (error) {
    return `this machine mounts no file system of the kind ${what}: ${error instanceof Error ? error.message : ''}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
