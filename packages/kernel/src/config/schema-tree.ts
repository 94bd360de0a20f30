import { z } from '@it-chain/contracts';
import { plainName } from './suggest.js';

/** A node of a JSON Schema, as far as it is read here. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly [more: string]: unknown;
}

const MAX_DEPTH = 20;

/** A key that no variant of the schema knows, with the keys that may stand in its place. */
export interface UnknownKey {
  readonly path: readonly PropertyKey[];
  readonly known: readonly string[];
}

/** The JSON Schema of what a section may hold before defaults; empty where a schema cannot be told in JSON Schema. */
export function inputSchema(schema: z.ZodType | undefined): SchemaNode {
  if (schema === undefined) return { type: 'object', properties: {}, additionalProperties: false };
  try {
    return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
  } catch {
    // Made by another zod, or of a kind without JSON: the schema itself still checks the values.
    return {};
  }
}

/** One section's schema, asked by paths. */
export class SchemaTree {
  readonly #root: SchemaNode;

  constructor(root: SchemaNode) {
    this.#root = root;
  }

  /** The key of the schema that a word means, whatever its case and separators; undefined where there is none. */
  keyFor(path: readonly PropertyKey[], word: string): string | undefined {
    const nodes = this.#at(path);
    const known = nodes.flatMap((node) => Object.keys(node.properties ?? {}));
    const exact = known.find((key) => plainName(key) === plainName(word));
    if (exact !== undefined) return exact;
    const open = nodes.some((node) => isOpen(node));
    return open ? word.toLowerCase() : undefined;
  }

  /** The types that a value at `path` may have; empty where anything may stand. */
  typesAt(path: readonly PropertyKey[]): readonly string[] {
    return this.#at(path).flatMap((node) => (node.type === undefined ? [] : [node.type].flat()));
  }

  /** True where the value at `path` is a file path. */
  isPath(path: readonly PropertyKey[]): boolean {
    return this.#at(path).some((node) => node.format === 'path');
  }

  /** The paths of all properties, down to `depth` levels. */
  leaves(depth = 4, path: readonly string[] = []): readonly (readonly string[])[] {
    const keys = [...new Set(this.#at(path).flatMap((node) => Object.keys(node.properties ?? {})))];
    if (keys.length === 0 || depth === 0) return path.length === 0 ? [] : [path];
    return keys.flatMap((key) => this.leaves(depth - 1, [...path, key]));
  }

  /** Keys of `value` that the schema does not know, at any depth; also where the schema would drop them silently. */
  unknownKeys(value: unknown, path: readonly PropertyKey[] = []): readonly UnknownKey[] {
    if (typeof value !== 'object' || value === null || path.length > MAX_DEPTH) return [];
    if (Array.isArray(value)) return value.flatMap((item, index) => this.unknownKeys(item, [...path, index]));
    const nodes = this.#at(path);
    const tables = nodes.filter((node) => node.properties !== undefined || node.additionalProperties !== undefined);
    const closed = tables.length > 0 && !tables.some(isOpen);
    const known = [...new Set(tables.flatMap((node) => Object.keys(node.properties ?? {})))];
    return Object.entries(value).flatMap(([key, item]) =>
      closed && !known.includes(key) ? [{ path: [...path, key], known }] : this.unknownKeys(item, [...path, key]),
    );
  }

  #at(path: readonly PropertyKey[]): readonly SchemaNode[] {
    let nodes = this.#variants(this.#root);
    for (const part of path) {
      nodes = nodes.flatMap((node) => this.#child(node, part)).flatMap((node) => this.#variants(node));
    }
    return nodes;
  }

  #child(node: SchemaNode, part: PropertyKey): readonly SchemaNode[] {
    if (typeof part === 'number') return node.items === undefined ? [] : [node.items];
    const key = String(part);
    const own = node.properties !== undefined && Object.hasOwn(node.properties, key) ? node.properties[key] : undefined;
    if (own !== undefined) return [own];
    return typeof node.additionalProperties === 'object' ? [node.additionalProperties] : [];
  }

  #variants(node: SchemaNode, depth = 0): readonly SchemaNode[] {
    if (depth > MAX_DEPTH) return [];
    const referred = node.$ref === undefined ? undefined : this.#resolve(node.$ref);
    const inner = [
      ...(node.anyOf ?? []),
      ...(node.oneOf ?? []),
      ...(node.allOf ?? []),
      ...(referred ? [referred] : []),
    ];
    return inner.length === 0 ? [node] : [node, ...inner.flatMap((one) => this.#variants(one, depth + 1))];
  }

  #resolve(reference: string): SchemaNode | undefined {
    if (reference === '#') return this.#root;
    const name = /^#\/\$defs\/(.+)$/.exec(reference)?.[1];
    return name === undefined ? undefined : this.#root.$defs?.[name];
  }
}

function isOpen(node: SchemaNode): boolean {
  return node.additionalProperties === true || typeof node.additionalProperties === 'object';
}
