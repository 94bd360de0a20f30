import type { Command } from 'commander';
import { nodeVerb, type Cli, type NodeVerbOptions } from '../cli.js';
import { timeText } from '../terminal/format.js';

/** `it-chain events follow` */
export function eventsCommand(program: Command, cli: Cli): void {
  const events = program.command('events').description("events of the node's bus");
  nodeVerb(events, 'follow [names...]', 'events as they happen, such as block.committed; without names all').action(
    async (names: string[], options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        await cli.untilStopped(async (signal) => {
          for await (const { name, json, timestamp } of client.followEvents(names, { signal })) {
            const body: unknown = JSON.parse(json);
            printer.result(
              { name, timestamp, body },
              () => `${timeText(timestamp)}  ${printer.color.cyan(name)}  ${json}`,
            );
          }
        });
      }),
  );
}
