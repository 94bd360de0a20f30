const HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1');

/** A frame that may lie about its length. */
function frame(type: number, channel: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
/** connection.start-ok as guest by PLAIN, connection.tune-ok, connection.open of "/". */
const startOk = frame(1, 0, Buffer.concat([hex('000a 000b 00000000 05'), Buffer.from('PLAIN'), hex('0000000c 00'), Buffer.from('guest'), hex('00'), Buffer.from('guest'), hex('05'), Buffer.from('en_US')])); // prettier-ignore
const tuneOk = frame(1, 0, hex('000a 001f 0064 00002000 0000'));
const open = frame(1, 0, hex('000a 0028 01 2f 00 00'));
const channelOpen = (channel: number): Buffer => frame(1, channel, hex('0014 000a 00'));
const heartbeat = frame(8, 0, Buffer.alloc(0));

/** What a client of the bus should never send, each from its first octet on. */
export function amqpSession(): Buffer[] {
  return [
    Buffer.from('AMQP\x00\x01\x00\x00', 'latin1'),
    Buffer.from('AMQX\x00\x00\x09\x01', 'latin1'),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    HEADER,
    Buffer.concat([HEADER, HEADER]),
    // The first frames in the wrong order, or before who it is was told.
    Buffer.concat([HEADER, open]),
    Buffer.concat([HEADER, tuneOk, open, channelOpen(1)]),
    Buffer.concat([HEADER, startOk, tuneOk, open, channelOpen(65_535)]),
    // Frames that are longer than agreed, or say so.
    Buffer.concat([HEADER, frame(1, 0, Buffer.alloc(200_000))]),
    Buffer.concat([HEADER, frame(1, 0, Buffer.alloc(10), 0xffffffff)]),
    Buffer.concat([HEADER, startOk, frame(3, 1, Buffer.alloc(9_000))]),
    Buffer.concat([HEADER, startOk, frame(9, 0, Buffer.alloc(1))]),
    Buffer.concat([HEADER, ...Array.from({ length: 5_000 }, () => heartbeat)]),
    Buffer.concat([HEADER, startOk, ...Array.from({ length: 500 }, (_, index) => channelOpen(index + 1))]),
  ];
}
