import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { definePlugin, defineRole, message, query, string, type z, type Plugin, type Role } from '@it-chain/contracts';
import {
  checkConfig,
  type ConfigError,
  MemoryBus,
  startNode,
  SystemClock,
  type ConfigOptions,
  type NodeOptions,
  type Problem,
  type RunningNode,
} from '@it-chain/kernel';

export const clock = new SystemClock();

const Text = message('Text', { text: string(1) });

/** A role with one call. */
export function makeRole(name: string, major = 1) {
  return defineRole(name, major, {
    doc: `The role ${name}.`,
    promises: [],
    calls: { say: query({ name: `${name}.say`, doc: 'Says it again.', in: Text, out: Text }) },
    events: {},
  });
}

/** A provider of {@link makeRole}. */
export const echo = { say: (request: { readonly text: string }) => Promise.resolve(request) };

/** A plugin that serves what it provides and does nothing. */
export function makePlugin(
  name: string,
  parts: { provides?: Role[]; requires?: Role[]; uses?: Role[]; config?: z.ZodType } = {},
): Plugin {
  return definePlugin({
    name,
    version: '1.0.0',
    ...parts,
    setup(context) {
      for (const role of parts.provides ?? []) context.serve(role, echo as never);
    },
  }) as Plugin;
}

/** A folder of its own for one test, and what is started in it. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'it-chain-kernel-'));
  readonly lines: string[] = [];
  readonly #nodes: RunningNode[] = [];

  /** Writes a file and gives its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  has(name: string): boolean {
    return existsSync(join(this.folder, name));
  }

  options(more: Partial<ConfigOptions> = {}): ConfigOptions {
    return { cwd: this.folder, env: {}, defaults: { plugins: [] }, ...more };
  }

  async start(more: Partial<NodeOptions> = {}): Promise<RunningNode> {
    const node = await startNode({
      ...this.options(),
      version: '1.0.0',
      bus: new MemoryBus(),
      logDestination: { write: (line: string) => void this.lines.push(line) },
      ...more,
    });
    this.#nodes.push(node);
    return node;
  }

  async problems(more: Partial<ConfigOptions> = {}): Promise<readonly Problem[]> {
    return checkConfig(this.options(more), clock);
  }

  /** The error of a start that must fail, after which nothing may be there but what was written before. */
  async refused(more: Partial<NodeOptions> = {}): Promise<ConfigError> {
    try {
      await this.start(more);
    } catch (error) {
      return error as ConfigError;
    }
    throw new Error('the node started');
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.splice(0)) await node.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The one problem with this path. */
export function problemAt(problems: readonly Problem[], path: string): Problem {
  const found = problems.filter((problem) => problem.path === path);
  expect(found, `${path} in ${JSON.stringify(problems)}`).to.have.length(1);
  // The length was checked on the line above.
  return found[0]!;
}
