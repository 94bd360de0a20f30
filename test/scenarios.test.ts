import { scenarios } from './support/scenarios.js';

scenarios('the three scenarios, on the embedded AMQP server');
