import type { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** How a value of one protobuf type is written, read and printed. `T` is the TypeScript side of it. */
export interface FieldType<T> {
  /** The name of the type in a `.proto` file. */
  readonly proto: string;
  /** protobuf wire type: 0 varint, 2 length-delimited. */
  readonly wire: WireType;
  readonly empty: T;
  isEmpty(value: T): boolean;
  write(writer: BinaryWriter, value: T): void;
  read(reader: BinaryReader, path: string): T;
  /** Other definitions that the `.proto` text needs: nested messages and enumerations. */
  readonly uses?: readonly ProtoDefinition[];
}

/** Something that prints itself into a `.proto` file. */
export interface ProtoDefinition {
  readonly name: string;
  readonly uses: readonly ProtoDefinition[];
  print(): string;
}

/** One numbered field of a message. */
export interface Field<T, Optional extends boolean = boolean> {
  readonly number: number;
  readonly type: FieldType<unknown>;
  readonly label: 'single' | 'optional' | 'repeated';
  /** The name of the oneof this field belongs to: at most one of its fields may be present. */
  readonly oneof?: string | undefined;
  readonly maxItems: number;
  /** Carries the TypeScript type; never present at run time. */
  readonly _type?: T;
  readonly _optional?: Optional;
}
