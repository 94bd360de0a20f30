// A server for the client programs in this folder; ends on SIGINT or SIGTERM.
import { AmqpServer } from '@it-chain/amqp-server';

const server = new AmqpServer();
server.on('warning', ({ code, message }) => console.error(code, message));
const { url } = await server.listen();
console.log(url);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
