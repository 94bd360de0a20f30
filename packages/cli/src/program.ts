import { Command } from 'commander';
import type { Cli } from './cli.js';
import { version } from './node/defaults.js';

/** Adds a verb to the command. */
type AddVerb = (program: Command, cli: Cli) => void;

/** The verbs in the order of the help. Each is loaded where it is asked for: what the others need takes its time. */
const VERBS: Readonly<Record<string, () => Promise<AddVerb>>> = {
  start: async () => (await import('./commands/start.js')).startCommand,
  devnet: async () => (await import('./commands/devnet.js')).devnetCommand,
  status: async () => (await import('./commands/status.js')).statusCommand,
  id: async () => (await import('./commands/identity.js')).idCommand,
  peers: async () => (await import('./commands/status.js')).peersCommand,
  leader: async () => (await import('./commands/status.js')).leaderCommand,
  validators: async () => (await import('./commands/status.js')).validatorsCommand,
  dial: async () => (await import('./commands/peers.js')).dialCommand,
  join: async () => (await import('./commands/peers.js')).joinCommand,
  disconnect: async () => (await import('./commands/peers.js')).disconnectCommand,
  leave: async () => (await import('./commands/peers.js')).leaveCommand,
  consensus: async () => (await import('./commands/consensus.js')).consensusCommand,
  members: async () => (await import('./commands/members.js')).membersCommand,
  tx: async () => (await import('./commands/tx.js')).txCommand,
  block: async () => (await import('./commands/block.js')).blockCommand,
  kv: async () => (await import('./commands/kv.js')).kvCommand,
  events: async () => (await import('./commands/events.js')).eventsCommand,
  config: async () => (await import('./commands/config.js')).configCommand,
  plugin: async () => (await import('./commands/plugin.js')).pluginCommand,
  chain: async () => (await import('./commands/chain.js')).chainCommand,
  recover: async () => (await import('./commands/recover.js')).recoverCommand,
  keys: async () => (await import('./commands/identity.js')).keysCommand,
  version: async () => (await import('./commands/version.js')).versionCommand,
};

/**
 * The whole command, from which docs/cli.md is printed too.
 *
 * @param word the first word of the command line: with the name of a verb, that verb alone is loaded
 */
export async function createProgram(cli: Cli, word?: string): Promise<Command> {
  const program = new Command('it-chain')
    .description('Runs and asks nodes of an it-chain network.')
    .version(version(), '-V, --version', 'the version')
    .exitOverride()
    .configureOutput({
      writeOut: cli.io.out,
      writeErr: cli.io.err,
      // The mistake is told once, by main.
      outputError: () => undefined,
    })
    .helpCommand('help [command]', 'help for a command');
  const only = word !== undefined && Object.hasOwn(VERBS, word) ? VERBS[word] : undefined;
  for (const load of only === undefined ? Object.values(VERBS) : [only]) (await load())(program, cli);
  return program;
}
