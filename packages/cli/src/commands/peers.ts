import { transactionJson } from '@it-chain/client';
import { toHex } from '@it-chain/contracts';
import type { Command } from 'commander';
import { nodeVerb, type Cli, type NodeVerbOptions } from '../cli.js';
import { transactionExit, transactionText, waitFor, withWait, type WaitOptions } from './wait.js';

/** `it-chain dial` */
export function dialCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'dial <address>', 'open a session to [NODEID@]HOST:PORT').action(
    async (address: string, options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        const reply = await client.dial(address);
        const network = reply.network.length === 0 ? null : toHex(reply.network);
        printer.result(
          { nodeId: reply.nodeId, address: reply.address, network },
          () =>
            `connected to ${reply.nodeId} at ${reply.address}${network === null ? ', which belongs to no network yet' : ` of network ${network}`}`,
        );
      }),
  );
}

/** `it-chain join` */
export function joinCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'join <address>', 'join the network of the member at [NODEID@]HOST:PORT').action(
    async (address: string, options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        printer.status(`joining ${address} ...`);
        const reply = await client.join(address);
        const transaction = reply.transaction.length === 0 ? null : toHex(reply.transaction);
        const { voted } = reply;
        const asked = voted
          ? `the validators vote on it: it-chain members vote ${transaction ?? ''}`
          : `admitted by transaction ${transaction ?? ''}`;
        printer.result({ nodeId: reply.nodeId, network: toHex(reply.network), transaction, voted }, () =>
          [
            `joined network ${toHex(reply.network)} through ${reply.nodeId}`,
            transaction === null ? 'this node was a member already' : asked,
          ].join('\n'),
        );
      }),
  );
}

/** `it-chain disconnect` */
export function disconnectCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'disconnect <nodeId>', 'end the session to a peer').action(
    async (nodeId: string, options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        await client.disconnect(nodeId);
        printer.result({ nodeId, connected: false }, () => `disconnected from ${nodeId}`);
      }),
  );
}

/** `it-chain leave` */
export function leaveCommand(program: Command, cli: Cli): void {
  withWait(nodeVerb(program, 'leave', 'leave the network, as validator or learner')).action(
    async (options: NodeVerbOptions & WaitOptions) =>
      cli.withNode(options, async (client, printer) => {
        const id = await client.leave();
        const { wait } = options;
        const sent = wait === true ? await waitFor(id, options, { client, printer }) : await client.transaction(id);
        const json = transactionJson(sent);
        printer.result({ transaction: json.id, ...json }, () => transactionText(json, printer));
        cli.exitCode = transactionExit(json);
      }),
  );
}
