import type { ProtoDefinition } from './field.js';

/**
 * The text of a `.proto` file (proto3) with all that the given definitions need, each once, in the order of need.
 * @throws TypeError where two different definitions share a name.
 */
export function printProto(packageName: string, definitions: readonly ProtoDefinition[], services = ''): string {
  const printed = new Map<string, string>();
  const visit = (definition: ProtoDefinition): void => {
    const text = definition.print();
    const known = printed.get(definition.name);
    if (known === text) return;
    if (known !== undefined) throw new TypeError(`two definitions are called ${definition.name}`);
    for (const used of definition.uses) visit(used);
    printed.set(definition.name, text);
  };
  definitions.forEach(visit);
  const parts = ['syntax = "proto3";', `package ${packageName};`, ...printed.values()];
  if (services !== '') parts.push(services);
  return `${parts.join('\n\n')}\n`;
}
