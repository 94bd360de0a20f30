#!/usr/bin/env node
// The client of the token ledger: balances are proven against the state root, never taken on trust in the application.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fromHex, keyPairFromSeed, sameBytes, stateRootOf, toHex, utf8, verifySparseProof } from '@it-chain/contracts';
import { createClient } from '@it-chain/client';
import { TokenOperation, keys, readAmount } from '../dist/index.js';

const USAGE = `usage: token.mjs [--api HOST:PORT] [--token FILE] COMMAND
  keygen FILE                 a new key in FILE; prints the account
  account FILE                the account of a key
  mint ACCOUNT AMOUNT         new tokens, signed by the node (it must be the founder); needs --token
  send KEYFILE ACCOUNT AMOUNT moves tokens
  balance ACCOUNT             what an account has, with the proof checked
  supply                      how many tokens there are`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { api: { type: 'string', default: '127.0.0.1:7001' }, token: { type: 'string' } },
});
const [command, ...args] = positionals;

const account = (text) => fromHex(text ?? '', 32) ?? fail(`not an account: ${text}`);
const keysOf = (file) => keyPairFromSeed(Buffer.from(readFileSync(file, 'utf8').trim(), 'hex'));
const amountOf = (text) => (/^[1-9][0-9]*$/.test(text ?? '') ? Number(text) : fail(`not an amount: ${text}`));

function fail(message) {
  process.stderr.write(`${message}\n${USAGE}\n`);
  process.exit(2);
}

async function ask(client, path, data, key) {
  const answer = await client.query(path, data, { prove: true });
  const value = answer.found ? answer.data : undefined;
  if (
    !sameBytes(stateRootOf(answer.systemRoot, answer.applicationRoot), answer.stateRoot) ||
    !verifySparseProof(answer.applicationRoot, key, value, answer.proof)
  )
    throw new Error('the node gave a proof that does not hold');
  return { amount: readAmount(value), height: answer.height };
}

async function settle(client, sent) {
  const final = sent.status === 'rejected' ? sent : await client.waitForTransaction(sent.id);
  if (final.status !== 'committed') throw new Error(`${final.code}: ${final.reason}`);
  if (final.receipt.code !== 0) throw new Error(`refused (${final.receipt.code}): ${final.receipt.message}`);
  process.stdout.write(`${toHex(sent.id)} in block ${final.height}\n`);
}

if (command === 'keygen' || command === 'account') {
  const [file] = args;
  if (file === undefined) fail('no file');
  if (command === 'keygen') {
    if (existsSync(file)) fail(`${file} exists`);
    writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  }
  process.stdout.write(`${toHex(keysOf(file).publicKey)}\n`);
} else {
  const token = values.token === undefined ? undefined : readFileSync(values.token, 'utf8').trim();
  const client = createClient({ address: values.api, token });
  try {
    if (command === 'mint') {
      const payload = TokenOperation.encode({ mint: { to: account(args[0]), amount: amountOf(args[1]) } });
      await settle(client, await client.signAndSubmit(payload));
    } else if (command === 'send') {
      const payload = TokenOperation.encode({ transfer: { to: account(args[1]), amount: amountOf(args[2]) } });
      await settle(client, await client.send(payload, keysOf(args[0] ?? fail('no key'))));
    } else if (command === 'balance') {
      const whose = account(args[0]);
      const { amount, height } = await ask(client, 'balance', whose, keys.balance(whose));
      process.stdout.write(`${amount} after block ${height}\n`);
    } else if (command === 'supply') {
      const { amount, height } = await ask(client, 'supply', utf8(''), keys.supply);
      process.stdout.write(`${amount} after block ${height}\n`);
    } else fail(command === undefined ? 'no command' : `unknown command: ${command}`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } finally {
    client.close();
  }
}
