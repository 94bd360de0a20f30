import type { z } from '@it-chain/contracts';
import { isSecretName, redactText } from '../log/redact.js';
import { messageOf } from '@it-chain/contracts';
import type { ParsedText } from './parse-text.js';
import { printPath, type Problem } from './problem.js';
import type { Layers } from './layers.js';
import type { SchemaTree } from './schema-tree.js';
import { suggestion } from './suggest.js';

type Path = readonly PropertyKey[];

/** What zod says of one value, as far as it is read here; plugins may bring another copy of zod. */
interface Issue {
  readonly code?: string | undefined;
  readonly path: Path;
  readonly message: string;
  readonly expected?: unknown;
  readonly maximum?: unknown;
  readonly minimum?: unknown;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
  readonly errors?: readonly (readonly Issue[])[];
}

/** A section of the config and what it is checked with. */
export interface SectionInput {
  readonly value: unknown;
  readonly schema: z.ZodType;
  readonly tree: SchemaTree;
  /** Where the section is in the config. */
  readonly path: Path;
  /** Unknown keys below these paths are somebody else's to check. */
  readonly skip?: ((path: Path) => boolean) | undefined;
}

/** What a check needs to say where a value comes from. */
export interface Places {
  readonly layers: Layers;
  readonly locate: ParsedText['locate'];
}

/** The value with defaults filled in, or everything that is wrong with it. */
export type SectionResult = { readonly value: unknown } | { readonly problems: readonly Problem[] };

/** Checks one section: unknown keys at any depth first, then every value. */
export async function checkSection(input: SectionInput, places: Places): Promise<SectionResult> {
  const { value, schema, tree, path, skip } = input;
  const unknown = tree.unknownKeys(value).filter((one) => skip?.(one.path) !== true);
  const problems: Problem[] = unknown.map((one) => {
    const hint = suggestion(String(one.path.at(-1)), one.known) ?? 'remove it: nothing can be set here';
    return { ...at([...path, ...one.path], places), code: 'ERR_CONFIG_INVALID', message: 'unknown key', hint };
  });
  const told = new Set(unknown.map((one) => printPath(one.path)));
  let parsed: Awaited<ReturnType<typeof schema.safeParseAsync>>;
  try {
    parsed = await schema.safeParseAsync(value);
  } catch (cause) {
    const message = `the schema of this section failed: ${messageOf(cause)}`;
    return { problems: [{ ...at(path, places), code: 'ERR_PLUGIN_INVALID', message, cause }] };
  }
  if (!parsed.success) {
    // zod's issues as they are read here; another copy of it may have made them.
    for (const issue of mostTelling(flatten(parsed.error.issues as unknown as readonly Issue[]))) {
      problems.push(...problemsOf(issue, input, places, told));
    }
  }
  if (problems.length > 0) return { problems };
  // An invalid value always has an issue, so without problems there is data.
  return { value: parsed.data };
}

/** One issue for each path: that of the type, else the last, since the tighter limit is checked later. */
function mostTelling(issues: readonly Issue[]): readonly Issue[] {
  const chosen = new Map<string, Issue>();
  for (const issue of issues) {
    const path = printPath(issue.path);
    if (chosen.get(path)?.code !== 'invalid_type') chosen.set(path, issue);
  }
  return [...chosen.values()];
}

function problemsOf(issue: Issue, input: SectionInput, places: Places, told: ReadonlySet<string>): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? [])
      .map((key) => [...issue.path, key])
      .filter((path) => !told.has(printPath(path)) && input.skip?.(path) !== true)
      .map((path) => ({ ...at([...input.path, ...path], places), code: 'ERR_CONFIG_INVALID', message: 'unknown key' }));
  }
  const found = valueAt(input.value, issue.path);
  const place = at([...input.path, ...issue.path], places);
  const expected = expectedOf(issue);
  if (found === undefined && issue.code === 'invalid_type') {
    return [{ ...place, code: 'ERR_CONFIG_INVALID', message: 'is missing', expected, hint: 'add it' }];
  }
  const got = isSecretName(String(issue.path.at(-1) ?? '')) ? '***' : printValue(found);
  const message = expected === undefined ? redactText(issue.message) : 'has a wrong value';
  return [{ ...place, code: 'ERR_CONFIG_INVALID', message, expected, got, hint: hintFor(issue, found) }];
}

function at(path: Path, { layers, locate }: Places): Pick<Problem, 'path' | 'source' | 'line' | 'column'> {
  const origin = layers.originOf(path);
  const place = { path: printPath(path) };
  if (origin.kind === 'flag' || origin.kind === 'environment') return { ...place, source: origin.name };
  const file = layers.originOf([]);
  return { ...place, ...(file.kind === 'file' ? { source: file.name } : {}), ...locate(path) };
}

/** Of a union, the issues of the variant that was most likely meant: the one that failed deepest inside. */
function flatten(issues: readonly Issue[]): readonly Issue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union' || !issue.errors || issue.errors.length === 0) return [issue];
    const variants = issue.errors.map((errors) => flatten(errors));
    const deep = variants.filter((errors) =>
      errors.every((error) => error.path.length > 0 || error.code !== 'invalid_type'),
    );
    const best = deep.sort((a, b) => a.length - b.length)[0];
    if (best !== undefined) return best.map((error) => ({ ...error, path: [...issue.path, ...error.path] }));
    const expected = [...new Set(variants.flatMap((errors) => errors.map(expectedOf)))].filter(Boolean).join(' or ');
    return [{ ...issue, code: 'invalid_type', expected }];
  });
}

function expectedOf(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_NAMES[String(issue.expected)] ?? String(issue.expected);
    case 'invalid_value':
      return `one of ${(issue.values ?? []).map(String).join(', ')}`;
    case 'too_big':
      return `at most ${String(issue.maximum)}`;
    case 'too_small':
      return `at least ${String(issue.minimum)}`;
    case 'invalid_format':
      return issue.message.replace(/^(?:Invalid (?:string: )?|expected )/, '');
    case 'custom':
      return /^expected (.*)/s.exec(issue.message)?.[1];
    default:
      return undefined;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: 'a table of keys and values',
  record: 'a table of keys and values',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function hintFor(issue: Issue, found: unknown): string | undefined {
  if (issue.code === 'invalid_value' && typeof found === 'string') {
    return suggestion(found, (issue.values ?? []).map(String))?.replace(/^known here.*/, '') || undefined;
  }
  if (issue.code === 'invalid_type' && issue.expected === 'string' && typeof found === 'number')
    return 'put it in quotes';
  if (issue.code === 'invalid_type' && ['number', 'int'].includes(String(issue.expected)) && isNumeric(found))
    return 'take the quotes away';
  return undefined;
}

const isNumeric = (found: unknown): boolean => typeof found === 'string' && /^-?\d+(?:\.\d+)?$/.test(found);

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<PropertyKey, unknown>)[part];
  }
  return current;
}

function printValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${String(value.length)}`;
  if (typeof value === 'object' && value !== null) return 'a table';
  if (typeof value === 'function') return 'a function';
  const text = typeof value === 'string' ? JSON.stringify(redactText(value)) : String(value as number | boolean | null);
  return text.length > 80 ? `${text.slice(0, 80)}… (${String(text.length)} characters)` : text;
}
