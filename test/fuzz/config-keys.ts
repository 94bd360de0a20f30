import { z, type Plugin } from '@it-chain/contracts';
import { chainPlugin } from '@it-chain/plugin-chain';
import { consensusPlugin } from '@it-chain/plugin-consensus';
import gateway from '@it-chain/plugin-gateway';
import kv from '@it-chain/plugin-kv';
import leveldb from '@it-chain/plugin-leveldb';
import p2p from '@it-chain/plugin-p2p';
import txpool from '@it-chain/plugin-txpool';

/** What JSON Schema says of a key, as far as it is read here. */
export interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Shape>>;
}

/** A key of a plugin's section that holds a value. */
export interface Key {
  /** The plugin's place in {@link plugins}. */
  readonly plugin: number;
  readonly path: readonly string[];
  readonly shape: Shape;
}

/** The plugins of a node by default. */
export const plugins = [
  gateway,
  p2p,
  leveldb,
  txpool,
  chainPlugin,
  consensusPlugin,
  kv,
] as unknown as readonly Plugin[];

/** The keys of every section. */
export function keysOf(): readonly Key[] {
  return plugins.flatMap(({ config }, plugin) => {
    const schema = z.toJSONSchema(config ?? z.strictObject({}), { io: 'input', unrepresentable: 'any' }) as Shape;
    return leaves(schema).map((leaf) => ({ plugin, ...leaf }));
  });
}

function leaves(shape: Shape, path: readonly string[] = []): { path: readonly string[]; shape: Shape }[] {
  if (shape.properties === undefined) return path.length === 0 ? [] : [{ path, shape }];
  return Object.entries(shape.properties).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}
