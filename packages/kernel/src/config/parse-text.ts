import { isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Node } from 'yaml';
import { messageOf } from '@it-chain/contracts';
import { configError, type Problem } from './problem.js';

/** A place in a text file, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The content of a config file, with the way back to its lines. */
export interface ParsedText {
  readonly value: unknown;
  /** Where the key or item at `path` stands; the nearest one above it where that does not exist. */
  readonly locate: (path: readonly PropertyKey[]) => Position | undefined;
}

/**
 * Parses YAML 1.2, or JSON where the file says so.
 * @throws ERR_CONFIG_SYNTAX with every fault and its line; a key given twice is one
 */
export function parseConfigText(file: string, text: string): ParsedText {
  const lines = new LineCounter();
  const problems: Problem[] = [];
  let document: Document.Parsed;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, prettyErrors: false });
    for (const { message, pos, code } of document.errors) {
      const at = lines.linePos(pos[0]);
      const hint = code === 'DUPLICATE_KEY' ? 'keep one of the two' : 'correct this line';
      problems.push(syntax(file, { line: at.line, column: at.col }, firstLine(message), hint));
    }
    const parsed = document;
    visit(parsed, {
      Alias: (_key, alias) => {
        if (alias.resolve(parsed) !== undefined) return;
        const at = lines.linePos(alias.range?.[0] ?? 0);
        const message = `the alias *${alias.source} names no anchor above it`;
        problems.push(syntax(file, { line: at.line, column: at.col }, message, 'put it in quotes if it is text'));
      },
    });
    if (problems.length === 0) value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // Nesting beyond the stack, or aliases that multiply.
    throw configError([syntax(file, undefined, `cannot be read: ${firstLine(messageOf(cause))}`, 'make it flatter')]);
  }
  if (problems.length === 0 && file.endsWith('.json')) checkJson(file, text, problems);
  if (problems.length > 0) throw configError(problems.slice(0, 20));
  return { value, locate: (path) => locate(document.contents, path, lines) };
}

/** YAML accepts more than JSON: a file called .json must be JSON. */
function checkJson(file: string, text: string, problems: Problem[]): void {
  if (text.trim() === '') return;
  try {
    JSON.parse(text);
  } catch (cause) {
    const message = messageOf(cause);
    const offset = /position (\d+)/.exec(message)?.[1];
    const before = offset === undefined ? undefined : text.slice(0, Number(offset)).split('\n');
    const at = before === undefined ? undefined : { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    problems.push(syntax(file, at, `is not JSON: ${firstLine(message)}`, 'correct it, or call the file .yaml'));
  }
}

function locate(root: Node | null, path: readonly PropertyKey[], lines: LineCounter): Position | undefined {
  let current: unknown = root;
  let offset: number | undefined;
  for (const part of path) {
    const found: readonly [unknown, unknown] | undefined = step(current, part);
    if (found === undefined) break;
    offset = (found[0] as Node | null)?.range?.[0] ?? offset;
    current = found[1];
  }
  if (offset === undefined) return undefined;
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

/** The node to point at, and the value, of one step of a path. */
function step(current: unknown, part: PropertyKey): readonly [unknown, unknown] | undefined {
  if (isSeq(current)) {
    const item: unknown = current.items[Number(part)];
    return item === undefined ? undefined : [item, item];
  }
  if (!isMap(current)) return undefined;
  const pair = current.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
  return pair === undefined ? undefined : [pair.key, pair.value];
}

function syntax(file: string, position: Position | undefined, message: string, hint: string): Problem {
  return { code: 'ERR_CONFIG_SYNTAX', source: file, ...position, path: '', message, hint };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
