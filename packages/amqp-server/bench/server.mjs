// The server under measurement, in a process of its own. It tells its address, and its CPU time when asked.
import { AmqpServer } from '@it-chain/amqp-server';

const server = new AmqpServer();
const address = await server.listen();
process.on('message', () => process.send({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss }));
process.on('disconnect', () => process.exit(0));
process.send({ url: address.url });
