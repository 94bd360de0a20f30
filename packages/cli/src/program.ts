import { Command } from 'commander';
import type { Cli } from './cli.js';
import { blockCommand } from './commands/block.js';
import { chainCommand } from './commands/chain.js';
import { configCommand } from './commands/config.js';
import { consensusCommand } from './commands/consensus.js';
import { devnetCommand } from './commands/devnet.js';
import { eventsCommand } from './commands/events.js';
import { idCommand, keysCommand } from './commands/identity.js';
import { kvCommand } from './commands/kv.js';
import { membersCommand } from './commands/members.js';
import { dialCommand, disconnectCommand, joinCommand, leaveCommand } from './commands/peers.js';
import { pluginCommand } from './commands/plugin.js';
import { recoverCommand } from './commands/recover.js';
import { startCommand } from './commands/start.js';
import { leaderCommand, peersCommand, statusCommand, validatorsCommand } from './commands/status.js';
import { txCommand } from './commands/tx.js';
import { versionCommand } from './commands/version.js';
import { version } from './node/defaults.js';

/** The whole command, from which docs/cli.md is printed too. */
export function createProgram(cli: Cli): Command {
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
  startCommand(program, cli);
  devnetCommand(program, cli);
  statusCommand(program, cli);
  idCommand(program, cli);
  peersCommand(program, cli);
  leaderCommand(program, cli);
  validatorsCommand(program, cli);
  dialCommand(program, cli);
  joinCommand(program, cli);
  disconnectCommand(program, cli);
  leaveCommand(program, cli);
  consensusCommand(program, cli);
  membersCommand(program, cli);
  txCommand(program, cli);
  blockCommand(program, cli);
  kvCommand(program, cli);
  eventsCommand(program, cli);
  configCommand(program, cli);
  pluginCommand(program, cli);
  chainCommand(program, cli);
  recoverCommand(program, cli);
  keysCommand(program, cli);
  versionCommand(program, cli);
  return program;
}
