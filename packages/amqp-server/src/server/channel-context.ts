import { type Consumer, type ConsumerSettings } from './consumer.js';
import { type DeliveryLedger } from './delivery-ledger.js';
import { type Publisher } from './publisher.js';
import { type Session } from './session.js';

/** A channel as the handlers of its methods see it. */
export interface ChannelContext {
  readonly id: number;
  readonly session: Session;
  readonly publisher: Publisher;
  readonly ledger: DeliveryLedger;
  readonly consumers: Map<string, Consumer>;
  /** Limit for consumers made from now on (qos without the global flag); 0 for none. */
  prefetch: number;
  /** The queue declared last, which an empty queue name stands for. */
  lastQueue: string | undefined;
  /** Runs something that may free prefetch of the whole channel, then asks the queues of all its consumers. */
  settled(action: () => void): void;
  /** Asks the queues of all consumers for messages. */
  dispatch(): void;
  /** Starts a consumer; the queue is dispatched by the caller, after consume-ok. */
  addConsumer(settings: ConsumerSettings): Consumer;
  /** A consumer tag of the server's choice. */
  newConsumerTag(): string;
}
