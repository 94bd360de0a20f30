import type { Role } from '@it-chain/contracts';

/** The sentence of a role's promise, for the title of the test that shows it. @throws TypeError for an unknown number */
export function promiseOf(role: Role, number: string): string {
  const found = role.promises.find((promise) => promise.startsWith(`${number}:`));
  if (found === undefined) throw new TypeError(`the role ${role.name} promises no ${number}`);
  return found;
}

/** The code an error of the framework carries, or what the call answered instead. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    (answer) => `answered ${JSON.stringify(answer)}`,
    (error: unknown) => String((error as { code?: unknown }).code ?? error),
  );
}
