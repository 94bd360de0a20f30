import type { WireType } from '@bufbuild/protobuf/wire';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';

/** How a value of one protobuf type is written, read and printed. `T` is the TypeScript side of it. */
export interface FieldType<T> {
  /** The name of the type in a `.proto` file. */
  readonly proto: string;
  /** protobuf wire type: 0 varint, 2 length-delimited. */
  readonly wire: WireType;
  readonly empty: T;
  /** True for the value that is left out on the wire. */
  isEmpty(value: T): boolean;
  /**
   * Bytes that `write` will write. Throws where the value does not fit, so that `write` need not look again. Lengths of
   * nested messages are left in `sizes`, in the order in which they are written.
   */
  size(value: T, sizes: number[]): number;
  /** Writes one value behind its tag. */
  write(writer: ByteWriter, value: T): void;
  /** Reads one value. @throws ERR_DECODE with the path of the field */
  read(reader: ByteReader, path: string): T;
  /** What is wrong where a plain field of this type is absent; undefined where absent is the same as `empty`. */
  readonly absent?: string | undefined;
  /** Other definitions that the `.proto` text needs: nested messages and enumerations. */
  readonly uses?: readonly ProtoDefinition[];
}

/** Something that prints itself into a `.proto` file. */
export interface ProtoDefinition {
  readonly name: string;
  readonly uses: readonly ProtoDefinition[];
  /** Its text in a `.proto` file. */
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
