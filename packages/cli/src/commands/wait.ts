import { transactionJson, type Client, type TransactionJson } from '@it-chain/client';
import type { TransactionStatus } from '@it-chain/contracts';
import type { Command } from 'commander';
import { wholeNumber, type Cli } from '../cli.js';
import { stateText } from '../terminal/format.js';
import type { Printer } from '../terminal/printer.js';

/** Options of verbs that send a transaction. */
export interface WaitOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
}

/** Default of --timeout, in ms. */
export const WAIT_MS = 30_000;

/** Adds --wait and --timeout. */
export function withWait(command: Command): Command {
  return withTimeout(command.option('--wait', 'wait until it is committed or rejected'));
}

/** Adds --timeout. */
export function withTimeout(command: Command): Command {
  return command.option('--timeout <ms>', 'how long to wait, in ms', wholeNumber, WAIT_MS);
}

/** Waits where that was asked for, prints the transaction, and notes a refusal in the exit code. */
export async function settle(
  sent: TransactionStatus,
  options: WaitOptions,
  { client, printer, cli }: { readonly client: Client; readonly printer: Printer; readonly cli: Cli },
): Promise<void> {
  const status =
    options.wait === true && sent.status !== 'rejected' ? await waitFor(sent.id, options, { client, printer }) : sent;
  const json = transactionJson(status);
  printer.result(json, () => transactionText(json, printer));
  cli.exitCode = transactionExit(json);
}

/** Waits for a transaction, showing its life on a terminal. */
export async function waitFor(
  id: Uint8Array,
  options: WaitOptions,
  { client, printer }: { readonly client: Client; readonly printer: Printer },
): Promise<TransactionStatus> {
  const started = performance.now();
  return client.waitForTransaction(id, {
    timeoutMs: options.timeout ?? WAIT_MS,
    onChange: ({ status, reason }) => {
      const ms = Math.round(performance.now() - started);
      printer.status(`${status}${reason === '' ? '' : `: ${reason}`} (${ms} ms)`);
    },
  });
}

/** 5 for a refusal by the pool or by the application, 4 for an unknown transaction. */
export function transactionExit({ status, result }: TransactionJson): number {
  if (status === 'rejected') return 5;
  if (status === 'unknown') return 4;
  return result !== null && result.code !== 0 ? 5 : 0;
}

/** A transaction as people read it. */
export function transactionText(json: TransactionJson, printer: Printer): string {
  const rows: [string, string][] = [
    ['transaction', json.id],
    ['status', `${stateText(json.status, printer)}${remarkOf(json)}`],
  ];
  if (json.code !== null) rows.push(['code', json.code]);
  if (json.hint !== null) rows.push(['try', json.hint]);
  if (json.height !== null) rows.push(['block', `${json.height}, index ${json.index ?? 0}`]);
  if (json.result !== null) {
    const { code, message, output } = json.result;
    const words = code === 0 ? 'done' : `refused with code ${code}`;
    rows.push(['result', `${words}${message === null ? '' : `: ${message}`}${output === '' ? '' : ` ${output}`}`]);
  }
  return printer.pairs(rows);
}

/** A transaction stands in its block whether or not it had an effect. */
function remarkOf({ reason, result }: TransactionJson): string {
  if (result !== null && result.code !== 0) return ', but refused: it has no effect';
  return reason === null ? '' : ` (${reason})`;
}
