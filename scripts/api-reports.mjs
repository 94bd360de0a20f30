// The public types of a package as one page, from the declarations that are published: what its entry exports, and what
// those declarations name without exporting it. Only parsed, never checked, so that all packages take a second.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const printer = ts.createPrinter({ removeComments: true });
const { isIdentifier, SyntaxKind } = ts;

/**
 * @param {string} root the repository, built
 * @param {string} note stands at the top of each page
 * @returns {Record<string, string>} a page for each published package, by its path: packages/NAME/api.md
 */
export function apiReports(root, note) {
  const folders = readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => manifest.private !== true);
  const modules = new Modules();
  const contracts = new PublicTypes(join(root, 'packages', 'contracts', 'dist', 'index.d.ts'), modules);
  const messages = contracts.messages();
  return Object.fromEntries(
    folders.map(({ folder, manifest }) => {
      const entry = join(folder, manifest.exports['.'].types);
      const page = new PublicTypes(entry, modules).page(manifest.name, note, messages);
      return [relative(root, join(folder, 'api.md')), page];
    }),
  );
}

/** Parsed declaration files, by path. */
class Modules {
  #files = new Map();

  at(path) {
    const found = this.#files.get(path) ?? parseModule(path);
    this.#files.set(path, found);
    return found;
  }
}

/** What a file declares, takes from other files and gives to others. */
function parseModule(path) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const file = { path, source, declared: new Map(), imported: new Map(), exported: new Map(), stars: [] };
  const declare = (name, statement) => {
    file.declared.set(name, [...(file.declared.get(name) ?? []), statement]);
    if (statement.modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) file.exported.set(name, { name });
  };
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) takeImports(file, statement);
    else if (ts.isExportDeclaration(statement)) takeExports(file, statement);
    else if (ts.isExportAssignment(statement)) file.exported.set('default', { name: statement.expression.text });
    else if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) declare(name.text, statement);
    } else if (statement.name !== undefined && isIdentifier(statement.name)) declare(statement.name.text, statement);
    else throw new Error(`${path}: ${SyntaxKind[statement.kind]} is a form of declaration that this does not know`);
  }
  return file;
}

function takeImports(file, { importClause, moduleSpecifier }) {
  const from = moduleSpecifier.text;
  const { name, namedBindings } = importClause ?? {};
  if (name !== undefined) file.imported.set(name.text, { from, name: 'default' });
  if (namedBindings === undefined) return;
  if (ts.isNamespaceImport(namedBindings)) file.imported.set(namedBindings.name.text, { from, name: '*' });
  else
    for (const one of namedBindings.elements)
      file.imported.set(one.name.text, { from, name: (one.propertyName ?? one.name).text });
}

function takeExports(file, { exportClause, moduleSpecifier }) {
  const from = moduleSpecifier?.text;
  if (exportClause === undefined) file.stars.push(from);
  else if (ts.isNamedExports(exportClause))
    for (const one of exportClause.elements)
      file.exported.set(one.name.text, { from, name: (one.propertyName ?? one.name).text });
  else file.exported.set(exportClause.name.text, { from, name: '*' });
}

const isInside = (specifier) => specifier.startsWith('.');
const fileOf = (path, specifier) => join(dirname(path), specifier.replace(/\.js$/, '.d.ts'));

/** The types that one entry leads to. */
class PublicTypes {
  #modules;
  #entry;
  /** Names of the entry: where each is declared, or the package that it comes from. */
  #exports = new Map();
  /** Declarations by file and name, with the name they are exported by, if they are. */
  #reached = new Map();

  constructor(entry, modules) {
    this.#modules = modules;
    this.#entry = entry;
    for (const name of this.#namesOf(entry)) this.#exports.set(name, this.#resolve(entry, name));
    for (const [name, at] of this.#exports) if (at.declared) this.#reach(at, name);
  }

  /** Messages of the entry, by the text of their type, which the compiler repeats wherever one is used. */
  messages() {
    const found = new Map();
    for (const [name, { path, name: local, declared }] of [...this.#exports].sort()) {
      if (!declared) continue;
      for (const statement of this.#modules.at(path).declared.get(local)) {
        const type = ts.isVariableStatement(statement) ? statement.declarationList.declarations[0].type : undefined;
        const inner = isNamed(type, 'Message') ? type.typeArguments?.[0] : undefined;
        if (!isNamed(inner, 'MessageOf') || inner.typeArguments?.[0]?.members?.length === 0) continue;
        const text = expanded(inner);
        // Which of two that look the same was meant cannot be told.
        found.set(text, found.has(text) ? undefined : name);
      }
    }
    return found;
  }

  page(title, note, messages) {
    const exported = [];
    const named = [];
    for (const { at, exportedAs } of this.#reached.values()) {
      const { source, declared } = this.#modules.at(at.path);
      const texts = declared
        .get(at.name)
        .map((one) => textOf(plain(one, messages, at.name), source).replace(/^export /, ''));
      if (exportedAs.length === 0) named.push([at.name, texts.join('\n')]);
      const isItsName = exportedAs.includes(at.name);
      if (isItsName) exported.push([at.name, texts.map((text) => `export ${text}`).join('\n')]);
      else if (exportedAs.length > 0) exported.push([at.name, texts.join('\n')]);
      for (const name of exportedAs) if (name !== at.name) exported.push([name, `export { ${at.name} as ${name} };`]);
    }
    for (const [name, at] of this.#exports)
      if (!at.declared)
        exported.push([name, `export { ${at.name === name ? name : `${at.name} as ${name}`} } from '${at.from}';`]);
    const inOrder = (list) =>
      list.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1)).map(([, text]) => text);
    return [
      `<!-- ${note} -->`,
      `# Public types of ${title}`,
      '',
      'What users of the package can see. A change here is one that they see: a major version where it can break them.',
      '',
      ...['```ts', ...inOrder(exported), '```', ''],
      ...(named.length === 0 ? [] : ['## Named by these, not exported', '', '```ts', ...inOrder(named), '```', '']),
    ].join('\n');
  }

  #namesOf(path) {
    const { exported, stars } = this.#modules.at(path);
    const names = new Set(exported.keys());
    for (const from of stars) {
      if (!isInside(from)) throw new Error(`${path} exports everything of ${from}: name what it exports`);
      for (const name of this.#namesOf(fileOf(path, from))) if (name !== 'default') names.add(name);
    }
    return names;
  }

  /** Where a name that a file exports is declared. */
  #resolve(path, name) {
    const file = this.#modules.at(path);
    const own = file.exported.get(name);
    if (own === undefined) {
      for (const from of file.stars) {
        const at = fileOf(path, from);
        if (this.#namesOf(at).has(name)) return this.#resolve(at, name);
      }
      throw new Error(`${path} exports no ${name}`);
    }
    if (own.from === undefined) return this.#local(path, own.name);
    if (!isInside(own.from)) return { from: own.from, name: own.name };
    return this.#resolve(fileOf(path, own.from), own.name);
  }

  /** Where a name that a file uses is declared. */
  #local(path, name) {
    const { declared, imported } = this.#modules.at(path);
    if (declared.has(name)) return { path, name, declared: true };
    const { from, name: original } = imported.get(name) ?? {};
    if (from === undefined) return { from: '', name };
    return isInside(from) ? this.#resolve(fileOf(path, from), original) : { from, name: original };
  }

  #reach(at, exportedAs) {
    const key = `${at.path} ${at.name}`;
    const known = this.#reached.get(key);
    if (known !== undefined) {
      if (exportedAs !== undefined) known.exportedAs.push(exportedAs);
      return;
    }
    this.#reached.set(key, { at, exportedAs: exportedAs === undefined ? [] : [exportedAs] });
    const visit = (node) => {
      if (ts.isImportTypeNode(node) && isInside(node.argument.literal.text)) {
        const target = this.#resolve(fileOf(at.path, node.argument.literal.text), leftmost(node.qualifier));
        if (target.declared) this.#reach(target);
      }
      const name = referenced(node);
      const target = name === undefined ? undefined : this.#local(at.path, name);
      if (target?.declared) this.#reach(target);
      ts.forEachChild(node, visit);
    };
    for (const statement of this.#modules.at(at.path).declared.get(at.name)) visit(statement);
  }
}

const leftmost = (name) =>
  name === undefined || isIdentifier(name) ? name?.text : leftmost(name.left ?? name.expression);

/** The name that a node refers to, where it does. */
function referenced(node) {
  if (ts.isTypeReferenceNode(node)) return leftmost(node.typeName);
  if (ts.isTypeQueryNode(node))
    return isIdentifier(node.exprName) || node.exprName.left ? leftmost(node.exprName) : undefined;
  if (ts.isExpressionWithTypeArguments(node)) return leftmost(node.expression);
  return undefined;
}

const isNamed = (node, name) =>
  node !== undefined &&
  ((ts.isTypeReferenceNode(node) && leftmost(node.typeName) === name) ||
    (ts.isImportTypeNode(node) && leftmost(node.qualifier) === name));

const expanded = (node) => textOf(plain(node, new Map()), node.getSourceFile());
const textOf = (node, source) => printer.printNode(ts.EmitHint.Unspecified, node, source);

/** A declaration as a reader wants it: names without their files, messages by their names, nothing that is private. */
function plain(node, messages, own) {
  const result = ts.transform(node, [
    (context) => (tree) => {
      const visit = (one) => {
        if (ts.isClassElement(one) && one.name !== undefined && ts.isPrivateIdentifier(one.name)) return undefined;
        const message = messages.size > 0 && isNamed(one, 'MessageOf') && messages.get(expanded(one));
        if (message && message !== own) return ts.factory.createTypeReferenceNode(message);
        const next = ts.visitEachChild(one, visit, context);
        if (!ts.isImportTypeNode(next) || next.isTypeOf) return next;
        return ts.factory.createTypeReferenceNode(next.qualifier, next.typeArguments);
      };
      return ts.visitNode(tree, visit);
    },
  ]);
  return result.transformed[0];
}
