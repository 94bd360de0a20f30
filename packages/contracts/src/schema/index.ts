export {
  bool,
  bytes,
  choice,
  optional,
  repeated,
  string,
  uint32,
  uint64,
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_ITEMS,
} from './types.js';
export { message, nested, sameBytes, type Fields, type Infer, type Message, type MessageOf } from './message.js';
export type { Field, FieldType, ProtoDefinition } from './field.js';
export { printProto } from './proto-text.js';
