import { peerJson, statusJson, leaderJson, validatorsJson, type StatusJson } from '@it-chain/client';
import type { Command } from 'commander';
import { nodeVerb, wholeNumber, type Cli, type NodeVerbOptions } from '../cli.js';
import { count, short, stateText, timeText } from '../terminal/format.js';
import type { Printer } from '../terminal/printer.js';

/** `it-chain status` */
export function statusCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'status', 'the node at a glance')
    .option('--metrics', 'all metrics as Prometheus text instead')
    .option('--watch', 'show it again every second until stopped')
    .action(async (options: NodeVerbOptions & { metrics?: boolean; watch?: boolean }) =>
      cli.withNode(options, async (client, printer) => {
        if (options.metrics === true) {
          const text = await client.metrics();
          printer.result({ metrics: text }, () => text);
          return;
        }
        const show = async (): Promise<void> => {
          const status = statusJson(await client.status());
          if (printer.live && options.watch === true) printer.status(liveLine(status));
          else printer.result(status, () => statusText(status, printer));
        };
        await show();
        if (options.watch !== true) return;
        await cli.untilStopped(async (signal) => {
          const stopped = (): boolean => signal.aborted;
          while (!stopped()) {
            await pause(1_000, signal);
            if (!stopped()) await show();
          }
        });
        if (printer.live) printer.line();
      }),
    );
}

/** `it-chain peers` */
export function peersCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'peers', 'the peer table').action(async (options: NodeVerbOptions) =>
    cli.withNode(options, async (client, printer) => {
      const peers = (await client.peers()).map(peerJson);
      printer.result(peers, () =>
        printer.table(
          ['node', 'name', 'address', 'role', 'connected', 'since'],
          peers.map((peer) => [
            peer.nodeId,
            peer.name,
            peer.address ?? '-',
            stateText(peer.role, printer),
            peer.self ? 'self' : peer.connected ? peer.direction : 'no',
            timeText(peer.since),
          ]),
        ),
      );
    }),
  );
}

/** `it-chain leader` */
export function leaderCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'leader', 'the leader of the open height').action(async (options: NodeVerbOptions) =>
    cli.withNode(options, async (client, printer) => {
      const leader = leaderJson(await client.leader());
      printer.result(leader, () =>
        leader.leader === null ? 'none' : `${leader.leader} (height ${leader.height}, round ${leader.round})`,
      );
    }),
  );
}

/** `it-chain validators` */
export function validatorsCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'validators', 'the validators of the next height')
    .option('--height <height>', 'of this height instead', wholeNumber)
    .action(async (options: NodeVerbOptions & { height?: number }) =>
      cli.withNode(options, async (client, printer) => {
        const validators = validatorsJson(await client.validators(options.height ?? 0));
        printer.result(validators, () =>
          [
            `height ${validators.height}, quorum ${validators.quorum} of ${validators.validators.length}`,
            ...validators.validators,
          ].join('\n'),
        );
      }),
    );
}

function liveLine(status: StatusJson): string {
  const leader = status.leader === null ? 'none' : status.leader === status.nodeId ? 'this node' : short(status.leader);
  const parts = [
    `height ${count(status.height)}`,
    `round ${status.round}`,
    `leader ${leader}`,
    `peers ${status.peers}`,
    `pool ${count(status.pool.count)}`,
  ];
  return parts.join(' · ');
}

/** The status as people read it. */
export function statusText(status: StatusJson, printer: Printer): string {
  const { color } = printer;
  const network = status.network ?? `${color.yellow('none yet')} (candidate ${status.candidate ?? '-'})`;
  const head = printer.pairs([
    ['node', `${status.nodeId} ${color.dim(`"${status.name}"`)}`],
    ['network', network],
    ['role', stateText(status.role, printer)],
    ['height', `${count(status.height)} ${color.dim(status.digest ?? '')}`],
    [
      'leader',
      status.leader === null
        ? 'none yet'
        : status.leader === status.nodeId
          ? `${status.leader} (this node)`
          : status.leader,
    ],
    ['validators', String(status.validators)],
    ['peers', `${status.peers} connected, listening on ${status.peerAddress ?? '-'}`],
    ['pool', `${count(status.pool.count)} of ${count(status.pool.maxCount)} transactions`],
    ['version', `${status.version}, up since ${timeText(status.startedAt)}`],
    ...(status.waiting === null ? [] : ([['waiting', color.yellow(status.waiting)]] as [string, string][])),
    ...(status.insecure ? ([['insecure', color.red('peers are spoken to without TLS')]] as [string, string][]) : []),
  ]);
  const plugins = printer.table(
    ['plugin', 'role', 'version', 'state', ''],
    status.plugins.map(({ name, role, version, state, reason }) => [
      name,
      role,
      version,
      stateText(state, printer),
      reason ?? '',
    ]),
  );
  return `${head}\n\n${plugins}`;
}

/** Resolves after `ms` or when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
