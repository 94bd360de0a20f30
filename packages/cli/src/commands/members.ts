import { evidenceJson, membersJson, type ActionJson, type Client, type MembersJson } from '@it-chain/client';
import {
  ADMISSIONS,
  GROWTHS,
  failure,
  faultTolerance,
  nodeIdOf,
  sameBytes,
  type MemberAction,
} from '@it-chain/contracts';
import type { Command } from 'commander';
import { nodeVerb, type Cli, type NodeVerbOptions } from '../cli.js';
import { resolveMember, resolveProposal } from '../node/resolve-member.js';
import { short, stateText, timeText } from '../terminal/format.js';
import type { Printer } from '../terminal/printer.js';
import { settle, withWait, type WaitOptions } from './wait.js';

interface ProposeOptions extends NodeVerbOptions, WaitOptions {
  readonly approve: boolean;
  readonly name?: string;
  readonly reason?: string;
  readonly admission?: string;
  readonly growth?: string;
  readonly allow?: string[];
  readonly disallow?: string[];
}

interface EvictOptions extends NodeVerbOptions, WaitOptions {
  readonly reason?: string;
  readonly byVote?: boolean;
}

/** `it-chain members list|propose|vote|evict|evidence` */
export function membersCommand(program: Command, cli: Cli): void {
  const members = program.command('members').description('the members of the network, and votes on them');

  nodeVerb(members, 'list', 'members, policy, what is voted on, and who was evicted').action(
    async (options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        const json = membersJson(await client.members());
        printer.result(json, () => membersText(json, printer));
      }),
  );

  withWait(
    nodeVerb(members, 'propose <what> [member]', 'put something to the vote: admit MEMBER, evict MEMBER, or policy'),
  )
    .option('--name <name>', 'of the node that is to be admitted', '')
    .option('--reason <text>', 'why a member is to be evicted', '')
    .option('--admission <mode>', `policy: ${ADMISSIONS.join(', ')}`)
    .option('--growth <policy>', `policy: ${GROWTHS.join(', ')}`)
    .option('--allow <member...>', 'policy: put on the allowlist')
    .option('--disallow <member...>', 'policy: take off the allowlist')
    .option('--no-approve', 'propose it without voting for it')
    .action(async (what: string, member: string | undefined, options: ProposeOptions) =>
      cli.withNode(options, async (client, printer) => {
        const action = await actionOf(what, member, options, client);
        if (action.evict !== undefined) await warnOfTolerance(action.evict.publicKey, { client, cli });
        const sent = await client.propose(action, { approve: options.approve });
        await settle(sent, options, { client, printer, cli });
      }),
    );

  withWait(nodeVerb(members, 'vote <proposal>', 'vote for a proposal, by its id or the beginning of it'))
    .option('--reject', 'vote against it; its proposer withdraws it so')
    .action(async (proposal: string, options: NodeVerbOptions & WaitOptions & { reject?: boolean }) =>
      cli.withNode(options, async (client, printer) => {
        const sent = await client.vote(await resolveProposal(proposal, client), options.reject !== true);
        await settle(sent, options, { client, printer, cli });
      }),
    );

  evictCommand(members, cli);
  evidenceCommand(members, cli);
}

function evictCommand(members: Command, cli: Cli): void {
  withWait(nodeVerb(members, 'evict <member>', 'evict a member: by evidence where this node has some, else by a vote'))
    .option('--reason <text>', 'for the others who vote', '')
    .option('--by-vote', 'propose it although this node has evidence')
    .action(async (member: string, options: EvictOptions) =>
      cli.withNode(options, async (client, printer) => {
        const publicKey = await resolveMember(member, client);
        await warnOfTolerance(publicKey, { client, cli });
        const kept = options.byVote === true ? [] : await client.evidence();
        const proof = kept.find(({ evidence }) => sameBytes(evidence.publicKey, publicKey))?.evidence;
        const sent =
          proof === undefined
            ? await client.propose({ evict: { publicKey, reason: options.reason ?? '' } })
            : await client.accuse(proof);
        await settle(sent, options, { client, printer, cli });
      }),
    );
}

function evidenceCommand(members: Command, cli: Cli): void {
  nodeVerb(members, 'evidence', 'the proofs that validators signed two votes which exclude each other').action(
    async (options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        const entries = (await client.evidence()).map(evidenceJson);
        printer.result(entries, () =>
          entries.length === 0
            ? 'none'
            : printer.table(
                ['validator', 'votes', 'height', 'round', 'seen'],
                entries.map((one) => [one.nodeId, one.type, String(one.height), String(one.round), timeText(one.seen)]),
              ),
        );
      }),
  );
}

/** What is to be proposed. @throws ERR_CLI_USAGE */
async function actionOf(
  what: string,
  member: string | undefined,
  options: ProposeOptions,
  client: Client,
): Promise<MemberAction> {
  if (what === 'policy') return { policy: await policyOf(options, client) };
  if (what !== 'admit' && what !== 'evict') {
    throw failure('ERR_CLI_USAGE', `"${what}" cannot be proposed`, { hint: 'Propose admit, evict or policy.' });
  }
  if (member === undefined) throw failure('ERR_CLI_USAGE', `propose ${what} needs a member`);
  const publicKey = await resolveMember(member, client);
  return what === 'admit'
    ? { admit: { publicKey, name: options.name ?? '' } }
    : { evict: { publicKey, reason: options.reason ?? '' } };
}

async function policyOf(options: ProposeOptions, client: Client): Promise<NonNullable<MemberAction['policy']>> {
  const keys = (words: readonly string[] = []): Promise<Uint8Array[]> =>
    Promise.all(words.map((word) => resolveMember(word, client)));
  return {
    admission: oneOf('admission', ADMISSIONS, options.admission),
    growth: oneOf('growth', GROWTHS, options.growth),
    allow: await keys(options.allow),
    disallow: await keys(options.disallow),
  };
}

function oneOf<T extends string>(name: string, known: readonly T[], word: string | undefined): T | undefined {
  const found = known.find((one) => one === word);
  if (word === undefined || found !== undefined) return found;
  throw failure('ERR_CLI_USAGE', `--${name} ${word} is none of ${known.join(', ')}`);
}

/** Says before it is sent what the eviction of a validator costs. */
async function warnOfTolerance(
  publicKey: Uint8Array,
  { client, cli }: { readonly client: Client; readonly cli: Cli },
): Promise<void> {
  const { members, validators, tolerated } = await client.members();
  // The validators of the last scheduled set come first.
  const scheduled = members.slice(0, validators).some((one) => sameBytes(one.publicKey, publicKey));
  const left = faultTolerance(validators - 1);
  if (!scheduled || left >= tolerated) return;
  cli.io.err(
    `warning: without ${nodeIdOf(publicKey)} ${validators - 1} validators are left, of which ${left} instead of ${tolerated} may be Byzantine\n`,
  );
}

/** The members as people read them. */
export function membersText(json: MembersJson, printer: Printer): string {
  const { allowlist } = json;
  const policy = printer.pairs([
    ['admission', `${json.admission}${json.admission === 'allowlist' ? `, ${allowlist.length} keys` : ''}`],
    ['growth', json.growth],
    ['quorum', `${json.quorum} of ${json.validators} validators, ${json.tolerated} of which may be Byzantine`],
    ['minimum', `${json.minValidators} validators`],
    ['leader', json.leaderTerm === 0 ? 'stays until it fails' : `another one every ${json.leaderTerm} heights`],
  ]);
  const table = printer.table(
    ['node', 'name', 'role', 'connected'],
    json.members.map(({ nodeId, name, role, connected }) => [
      nodeId,
      name ?? '-',
      stateText(role, printer),
      connected ? 'yes' : 'no',
    ]),
  );
  const parts = [policy, table];
  if (json.proposals.length > 0) parts.push(proposalsText(json, printer));
  if (json.evicted.length > 0) {
    const rows = json.evicted.map(({ nodeId, height, reason, readmitted }) => [
      nodeId,
      String(height),
      readmitted === null ? 'no' : `at ${readmitted}`,
      reason,
    ]);
    parts.push(printer.table(['evicted', 'height', 'readmitted', 'reason'], rows));
  }
  return parts.join('\n\n');
}

function proposalsText({ proposals, quorum }: MembersJson, printer: Printer): string {
  const rows = proposals.map(({ id, action, approvals, rejections, proposer, expiresAt }) => [
    short(id),
    actionText(action),
    `${approvals.length} of ${quorum}`,
    String(rejections.length),
    short(proposer),
    String(expiresAt),
  ]);
  return printer.table(['proposal', 'what', 'approvals', 'rejections', 'by', 'until height'], rows);
}

function actionText(action: ActionJson): string {
  if (action.kind === 'admit') return `admit ${action.nodeId ?? ''}${action.name ? ` "${action.name}"` : ''}`;
  if (action.kind === 'evict') return `evict ${action.nodeId ?? ''}${action.reason ? `: ${action.reason}` : ''}`;
  const changes = [
    action.admission === undefined ? '' : `admission ${action.admission}`,
    action.growth === undefined ? '' : `growth ${action.growth}`,
    action.allow?.length ? `allow ${action.allow.length} keys` : '',
    action.disallow?.length ? `disallow ${action.disallow.length} keys` : '',
  ];
  return changes.filter((one) => one !== '').join(', ');
}
