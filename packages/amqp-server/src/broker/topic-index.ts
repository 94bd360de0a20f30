import { type FieldTable } from '../wire/spec.js';
import { type Binding, type BindingIndex } from './exchange.js';

class Node {
  readonly children = new Map<string, Node>();
  readonly bindings = new Set<Binding>();

  constructor(
    readonly word: string,
    readonly parent: Node | undefined,
  ) {}
}

/**
 * Topic patterns as a trie of words. A key is matched by walking all reachable nodes word by word, like a finite
 * automaton: the cost is words times nodes, whatever the number of `#` in the patterns.
 */
export class TopicIndex implements BindingIndex {
  readonly #root = new Node('', undefined);

  add(binding: Binding): void {
    let node = this.#root;
    for (const word of words(binding.routingKey)) {
      let child = node.children.get(word);
      if (child === undefined) {
        child = new Node(word, node);
        node.children.set(word, child);
      }
      node = child;
    }
    node.bindings.add(binding);
  }

  delete(binding: Binding): void {
    let node: Node | undefined = this.#root;
    for (const word of words(binding.routingKey)) node = node?.children.get(word);
    node?.bindings.delete(binding);
    while (node?.parent !== undefined && node.bindings.size === 0 && node.children.size === 0) {
      node.parent.children.delete(node.word);
      node = node.parent;
    }
  }

  match(routingKey: string, _headers: () => FieldTable, found: (binding: Binding) => void): void {
    let reached = new Set<Node>();
    reach(this.#root, reached);
    for (const word of words(routingKey)) {
      const next = new Set<Node>();
      for (const node of reached) {
        if (node.word === '#') reach(node, next);
        if (word !== '#' && word !== '*') reach(node.children.get(word), next);
        reach(node.children.get('*'), next);
      }
      reached = next;
    }
    for (const node of reached) node.bindings.forEach(found);
  }
}

/** Adds a node and, because `#` also stands for no word at all, the `#` below it. */
function reach(node: Node | undefined, reached: Set<Node>): void {
  if (node === undefined || reached.has(node)) return;
  reached.add(node);
  reach(node.children.get('#'), reached);
}

function words(key: string): string[] {
  return key === '' ? [] : key.split('.');
}
