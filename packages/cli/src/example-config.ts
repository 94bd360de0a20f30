import { SystemClock, configSchema, type SchemaNode } from '@it-chain/kernel';
import { configOptions } from './node/defaults.js';
import { silentIo } from './terminal/io.js';

const WIDTH = 118;

/** `config/it-chain.config.yaml`: every option of a node with its default and what it is for, from the schemas themselves. */
export async function exampleConfig(): Promise<string> {
  const schema = await configSchema(configOptions(silentIo()), new SystemClock());
  const { plugins, ...sections } = schema.properties ?? {};
  const parts = Object.entries(sections)
    .filter(([name]) => name !== '$schema')
    .flatMap(([name, node]) => ['', ...entry(name, node, '')]);
  return [
    '# Every option of a node, with its default. Options without a default are commented out. A file needs only what differs:',
    '# `it-chain start` runs without any. Checked by `it-chain config check`; `it-chain config show --sources` says where values come from.',
    ...parts,
    '',
    '# One plugin per role; their order does not matter. `use` is a package, or a path from this folder: ./my-application.mjs',
    'plugins:',
    ...sectionsOf(plugins).flatMap(({ use, section }) => [
      `  - use: '${use}'`,
      ...(Object.keys(section.properties ?? {}).length === 0
        ? []
        : ['    with:', ...entries(section.properties ?? {}, '      ')]),
    ]),
    '',
  ].join('\n');
}

interface PluginSection {
  readonly use: string;
  readonly section: SchemaNode;
}

/** The sections of the plugins, as the schema of the list has them. */
function sectionsOf(plugins: SchemaNode | undefined): PluginSection[] {
  const { items } = (plugins ?? {}) as { readonly items?: { readonly allOf?: readonly unknown[] } };
  return (items?.allOf ?? []).map((one) => {
    const { if: when, then } = one as {
      readonly if: { readonly properties: { readonly use: { readonly const: string } } };
      readonly then: { readonly properties: { readonly with: SchemaNode } };
    };
    return { use: when.properties.use.const, section: then.properties.with };
  });
}

function entries(properties: Readonly<Record<string, SchemaNode>>, indent: string): string[] {
  return Object.entries(properties).flatMap(([name, node]) => entry(name, node, indent));
}

function entry(name: string, node: SchemaNode, indent: string): string[] {
  const {
    description,
    default: standard,
    properties,
  } = node as SchemaNode & {
    readonly description?: string;
    readonly default?: unknown;
  };
  const comment = description === undefined ? [] : wrapped(description, indent);
  if (properties !== undefined && (standard === undefined || isEmptyTable(standard))) {
    const inner = entries(properties, `${indent}  `);
    // A section in which nothing is set is shown, but not in force.
    if (!inner.some((line) => isSetting(line))) {
      return [...comment, `${indent}# ${name}:`, ...inner.map((line) => commented(line))];
    }
    return [...comment, `${indent}${name}:`, ...inner];
  }
  if (standard === undefined) return [...comment, `${indent}# ${name}: ${placeholder(node)}`];
  return [...comment, `${indent}${name}: ${inline(standard)}`];
}

const isEmptyTable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;
const isSetting = (line: string): boolean => !line.trim().startsWith('#');
const commented = (line: string): string => (line.trim().startsWith('#') ? line : line.replace(/^( *)/, '$1# '));

function inline(value: unknown): string {
  if (typeof value === 'string' && /^[\w./-]+$/.test(value)) return value;
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

function placeholder(node: SchemaNode): string {
  const { type, enum: choices } = node as { readonly type?: string; readonly enum?: readonly unknown[] };
  if (choices !== undefined) return choices.map(String).join(' | ');
  return type === 'array' ? '[]' : type === 'object' ? '{}' : type === 'boolean' ? 'true | false' : '...';
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent.length + 3 + line.length + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((one) => `${indent}# ${one}`);
}
