import { consensusJson, type ConsensusJson } from '@it-chain/client';
import type { Command } from 'commander';
import { nodeVerb, type Cli, type NodeVerbOptions } from '../cli.js';
import { count, timeText } from '../terminal/format.js';
import type { Printer } from '../terminal/printer.js';

/** `it-chain consensus` */
export function consensusCommand(program: Command, cli: Cli): void {
  nodeVerb(
    program,
    'consensus',
    'the open height: who decides, who is missing and since when, and what it waits for',
  ).action(async (options: NodeVerbOptions) =>
    cli.withNode(options, async (client, printer) => {
      const json = consensusJson(await client.consensus());
      printer.result(json, () => consensusText(json, printer, Date.now()));
    }),
  );
}

/** The agreement as people read it, on one screen. `now` in ms since the epoch. */
export function consensusText(json: ConsensusJson, printer: Printer, now: number): string {
  const { color } = printer;
  const names = new Map(json.views.map(({ nodeId, name }) => [nodeId, name]));
  const open = json.since === null ? '' : `, open for ${ageText(now - json.since)}`;
  const quorum = `${json.quorum} of ${json.validators} validators decide, ${json.present} are present${spareText(json)}`;
  const rows: [string, string][] = [
    ['height', `${count(json.height)}, round ${json.round}${open}`],
    ['state', stateOf(json, printer)],
    ['quorum', json.present < json.quorum ? color.red(quorum) : quorum],
    ['tolerated', `${json.tolerated} Byzantine of ${json.validators}, where all others are present`],
    ['leader', json.leader === null ? 'none' : `${json.leader}${nameText(names.get(json.leader) ?? null)}`],
    ['this node', json.validator ? 'votes' : 'does not vote'],
  ];
  if (json.waiting !== null) rows.push(['waiting', color.yellow(json.waiting)]);
  if (json.complaint !== null) rows.push(['complaint', color.yellow(json.complaint)]);
  if (json.evidence > 0) {
    rows.push(['evidence', color.red(`${json.evidence} proofs of double votes: it-chain members evidence`)]);
  }
  const views = json.views.map((view) => [
    view.nodeId,
    view.name ?? '-',
    presence(view, printer, now),
    view.self ? '-' : String(view.height),
    view.self ? '-' : String(view.round),
    timeText(view.seen ?? 0),
  ]);
  return `${printer.pairs(rows)}\n\n${printer.table(['validator', 'name', 'present', 'height', 'round', 'last heard'], views)}`;
}

/** How many of those that are present may still fail. */
function spareText({ present, quorum }: ConsensusJson): string {
  if (present < quorum) return '';
  return present === quorum ? '; none of them may fail' : `; ${present - quorum} of them may fail`;
}

function stateOf(json: ConsensusJson, { color }: Printer): string {
  if (json.height === 0) return color.yellow('no network yet');
  if (json.present < json.quorum) return color.red('no quorum: nothing can be decided');
  if (!json.working) return 'idle: there is nothing to decide';
  return json.round > 0 ? color.yellow('deciding, with a later leader') : color.green('deciding');
}

function presence(view: ConsensusJson['views'][number], { color }: Printer, now: number): string {
  if (view.self) return 'self';
  if (view.present) return color.green('yes');
  const { missingSince } = view;
  return color.red(
    missingSince === null ? 'missing' : `missing for ${ageText(now - missingSince)}, since ${timeText(missingSince)}`,
  );
}

const nameText = (name: string | null): string => (name === null ? '' : ` "${name}"`);

/** A span of time in its two largest units: `3 h 5 min`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([value]) => value > 0);
  if (first < 0) return '0 s';
  return units
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
