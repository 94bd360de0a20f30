"""The bus of an it-chain node for a plugin in Python: what docs/bus.md says under "On the wire", on top of pika.

One thread, one connection. Messages are taken in while a handler waits for an answer of its own, and handled one after
the other. A lost connection is made again with growing pauses, and everything is registered anew.
"""

import collections
import json
import logging
import os
import random
import time
import uuid

import pika
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker, ReentrancyError

log = logging.getLogger("itchain.bus")

REPLY_TO = "amq.rabbitmq.reply-to"
# What a durable queue of events is declared with; the same text for every program that declares it.
DURABLE_LIMIT = 100_000
MAX_QUEUED = 100_000
MAX_IN_HAND = 10_000
# How long a role whose old queue lingers in the broker is asked for, in seconds.
TAKEN_LIMIT = 15.0
RESOURCE_LOCKED = 405
# How often whoever was asked is asked whether it still has a request, in seconds.
PROBE_EVERY = 0.25


class BusError(Exception):
    """An error with a code of docs/errors.md; raised by `call`, and what a handler raises to refuse."""

    def __init__(self, code, message, hint=None, retryable=False):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.hint, self.retryable = code, message, hint, retryable


class Place:
    """Where the bus is: the file that the node wrote for this plugin, or a broker that the operator names."""

    def __init__(self, file=None, url=None, namespace=None):
        if (file is None) == (url is None) or (url is not None and namespace is None):
            raise ValueError("give the file of the node, or a url and a namespace")
        self._file, self._url, self._namespace = file, url, namespace

    def read(self):
        """Url and namespace. The file is read at every connect: each start of the node writes another password."""
        if self._file is None:
            return self._url, self._namespace
        with open(self._file, encoding="utf-8") as file:
            facts = json.load(file)
        return facts["url"], facts["namespace"]

    @staticmethod
    def of_arguments(arguments):
        return Place(file=arguments.bus_file, url=arguments.url, namespace=arguments.namespace)

    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--bus-file", help="<dataDir>/bus-users/<name>.json of the node")
        parser.add_argument("--url", help="instead: amqp://USER:PASSWORD@HOST:PORT/VHOST of a broker")
        parser.add_argument("--namespace", help="with --url: the first 16 characters of the node's id")


class Bus:
    """`serve` and `listen` note what is wanted; `run` connects and works until `stop`."""

    def __init__(self, place, name):
        self._place, self._name = place, name
        self._roles, self._listeners = [], []
        self._on_connected = []
        self._connection = self._channel = None
        self._namespace = ""
        self._waiting = collections.deque()
        self._in_hand = set()
        self._pending = {}
        self._probes = {}
        self._next_probe = 0.0
        self._stopping = False

    # -- what is wanted ---------------------------------------------------------------------------------------------

    def serve(self, role, calls):
        """Serves a role: `calls` is {address: (request class, handler)}; a handler gives the answer or raises BusError."""
        self._roles.append((role, calls))

    def listen(self, addresses, handler, durable=True):
        """Hears events: `handler(address, bytes)`. Durable: also those told while this program was away."""
        self._listeners.append((addresses, handler, durable))

    def on_connected(self, run):
        """Runs after each connect, when everything is registered."""
        self._on_connected.append(run)

    # -- life -------------------------------------------------------------------------------------------------------

    def run(self):
        """Works until `stop`. A lost connection is made again."""
        pause = 0.1
        while not self._stopping:
            try:
                self._connect()
                pause = 0.1
                while not self._stopping:
                    self._step(1.0)
            except (AMQPError, OSError, ValueError, KeyError) as error:
                # ValueError and KeyError: the file of the node is being written, or not there yet.
                if self._stopping:
                    break
                log.warning("the bus is away (%s: %s); trying again", type(error).__name__, error)
                self._lose()
                # Full jitter: many plugins that lost one broker do not come back in step.
                time.sleep(random.random() * pause)
                pause = min(pause * 2, 10.0)
        self._lose()

    def open(self):
        """Connects once, for a program that only asks. Raises what pika raises."""
        self._connect()

    def stop(self):
        """Ends `run` after the message in hand. May be called in a signal handler."""
        self._stopping = True

    def close(self):
        self._lose()

    def _lose(self):
        connection, self._connection, self._channel = self._connection, None, None
        self._waiting.clear()
        self._in_hand.clear()
        self._probes.clear()
        for entry in self._pending.values():
            entry["outcome"] = BusError("ERR_BUS_CLOSED", "the connection was lost: the outcome is unknown", retryable=True)
        try:
            if connection is not None and connection.is_open:
                connection.close()
        except AMQPError:
            pass  # It is given up either way.

    def _connect(self):
        url, self._namespace = self._place.read()
        parameters = pika.URLParameters(url)
        parameters.heartbeat = parameters.heartbeat or 10
        parameters.socket_timeout = 10
        parameters.client_properties = {"connection_name": f"{self._name} {self._namespace}"}
        self._connection = pika.BlockingConnection(parameters)
        self._channel = channel = self._connection.channel()
        channel.add_on_return_callback(self._on_return)
        channel.add_on_cancel_callback(self._on_cancelled)
        # Direct reply-to: answers come on the channel that the question went out on.
        channel.basic_consume(REPLY_TO, self._on_answer, auto_ack=True)
        for addresses, handler, durable in self._listeners:
            self._bind_listener(addresses, handler, durable)
        for role, calls in self._roles:
            self._bind_role(role, calls)
        log.info("connected to the bus of %s", self._namespace)
        for run in self._on_connected:
            run()

    def _on_cancelled(self, _frame):
        raise AMQPConnectionError("the broker cancelled a consumer")

    def _declare(self, **options):
        # On a channel of its own, which the broker closes where it refuses.
        channel = self._connection.channel()
        try:
            return channel.queue_declare(**options).method.queue
        finally:
            if channel.is_open:
                channel.close()

    def _bind_role(self, role, calls):
        queue = f"{self._namespace}.rpc.{role}"
        end = time.monotonic() + TAKEN_LIMIT
        while True:
            try:
                self._declare(queue=queue, exclusive=True, durable=False, auto_delete=False)
                break
            except ChannelClosedByBroker as error:
                # After a crash the broker may still hold the old queue for a while.
                if error.reply_code != RESOURCE_LOCKED or time.monotonic() > end:
                    raise
                time.sleep(0.2)
        on_message = lambda _channel, method, properties, body: self._on_request(calls, method, properties, body)
        self._channel.basic_consume(queue, on_message, auto_ack=True)
        # Consumed before it can be reached, so that a request that is routed is also received.
        for key in [f"probe.{role}", *calls]:
            self._channel.queue_bind(queue, self._exchange("rpc"), routing_key=key)

    def _bind_listener(self, addresses, handler, durable):
        exchange = self._exchange("evt")
        if durable:
            queue = f"{self._namespace}.evt.{self._name}"
            arguments = {
                "x-queue-type": "quorum",
                "x-max-length": DURABLE_LIMIT,
                "x-delivery-limit": 5,
                "x-dead-letter-exchange": self._exchange("dlx"),
                "x-overflow": "drop-head",
                "x-single-active-consumer": True,
            }
            self._declare(queue=queue, durable=True, exclusive=False, auto_delete=False, arguments=arguments)
        else:
            arguments = {"x-max-length": MAX_QUEUED, "x-overflow": "drop-head"}
            queue = self._channel.queue_declare("", exclusive=True, durable=False, arguments=arguments).method.queue
        for address in addresses:
            self._channel.queue_bind(queue, exchange, routing_key=address)
        # One at a time, so that events keep their order.
        self._channel.basic_qos(prefetch_count=1 if durable else 0)

        def on_message(_channel, method, _properties, body):
            # What did not come through the exchange of events is nobody's event.
            known = method.exchange == exchange and method.routing_key in addresses
            self._waiting.append(("event", handler if known else None, method, body, durable))

        self._channel.basic_consume(queue, on_message, auto_ack=not durable)
        self._channel.basic_qos(prefetch_count=0)

    def _exchange(self, kind):
        return f"{self._namespace}.{kind}"

    # -- work -------------------------------------------------------------------------------------------------------

    def _step(self, seconds):
        """Takes in what has come, then handles one message."""
        if not self._waiting:
            self._connection.process_data_events(time_limit=seconds)
        if not self._waiting:
            return
        kind, *rest = self._waiting.popleft()
        if kind == "event":
            self._handle_event(*rest)
        else:
            self._handle_request(*rest)

    def _handle_event(self, handler, method, body, durable):
        try:
            if handler is not None:
                handler(method.routing_key, body)
        except AMQPError:
            raise
        except Exception:
            log.exception("the event %s was not handled", method.routing_key)
            if durable:
                # The broker gives it again, and makes it a dead letter when it has failed too often.
                self._connection.sleep(1.0)
                self._channel.basic_nack(method.delivery_tag, requeue=True)
            return
        if durable:
            self._channel.basic_ack(method.delivery_tag)

    def _on_request(self, calls, method, properties, body):
        reply_to, correlation = properties.reply_to, properties.correlation_id
        if reply_to is None or correlation is None or method.exchange != self._exchange("rpc"):
            return
        if not reply_to.startswith(f"{REPLY_TO}."):
            return  # Any other address is somebody's queue, and whoever names it here could write to it through us.
        if properties.type == "probe":
            asked = body.decode("latin-1").split("\n") if body else []
            unknown = [one for one in asked if one not in self._in_hand]
            self._reply(reply_to, correlation, "probe", "\n".join(unknown).encode("latin-1"))
            return
        if len(self._in_hand) >= MAX_IN_HAND:
            self._refuse(reply_to, correlation, BusError("ERR_BUS_FULL", "too many requests at once", retryable=True))
            return
        self._in_hand.add(correlation)
        seconds = int(properties.expiration or "1") / 1000
        self._waiting.append(("request", calls, method.routing_key, reply_to, correlation, body, time.monotonic() + seconds))

    def _handle_request(self, calls, address, reply_to, correlation, body, deadline):
        try:
            if time.monotonic() > deadline:
                return  # Whoever asked has given up.
            known = calls.get(address)
            if known is None:
                raise BusError("ERR_ROLE_UNKNOWN_CALL", f"there is no call {address}")
            request_class, handler = known
            request = request_class()
            try:
                request.ParseFromString(body)
            except Exception:
                raise BusError("ERR_DATA_MALFORMED", f"the request of {address} cannot be read") from None
            answer = handler(request, deadline)
            self._reply(reply_to, correlation, "answer", answer.SerializeToString())
        except BusError as error:
            self._refuse(reply_to, correlation, error)
        except (AMQPError, ReentrancyError):
            raise
        except Exception:
            # The detail stays here: another plugin has no use for it.
            log.exception("the call %s failed unexpectedly", address)
            self._refuse(reply_to, correlation, BusError("ERR_INTERNAL", "the handler failed unexpectedly"))
        finally:
            self._in_hand.discard(correlation)

    def _refuse(self, reply_to, correlation, error):
        facts = {"code": error.code, "message": error.message, "retryable": error.retryable}
        if error.hint is not None:
            facts["hint"] = error.hint
        self._reply(reply_to, correlation, "error", json.dumps(facts).encode())

    def _reply(self, reply_to, correlation, kind, body):
        if self._channel is None:
            return
        content = "application/json" if kind == "error" else "application/protobuf"
        properties = pika.BasicProperties(type=kind, correlation_id=correlation, content_type=content)
        self._channel.basic_publish("", reply_to, body, properties)

    # -- asking -----------------------------------------------------------------------------------------------------

    def call(self, role, address, request, answer_class, timeout=5.0):
        """Asks the provider of a role and waits for its answer. Raises BusError."""
        if self._channel is None:
            raise BusError("ERR_BUS_CLOSED", "the bus is not connected", retryable=True)
        correlation = uuid.uuid4().hex
        entry = {"role": role, "outcome": None, "sent": time.monotonic()}
        self._pending[correlation] = entry
        now = time.time()
        properties = pika.BasicProperties(
            type=address,
            content_type="application/protobuf",
            message_id=correlation,
            correlation_id=correlation,
            reply_to=REPLY_TO,
            app_id=self._name,
            expiration=str(max(1, int(timeout * 1000))),
            timestamp=int(now),
            headers={"timestamp_in_ms": int(now * 1000)},
        )
        self._channel.basic_publish(self._exchange("rpc"), address, request.SerializeToString(), properties, mandatory=True)
        try:
            end = time.monotonic() + timeout
            while entry["outcome"] is None:
                left = end - time.monotonic()
                if left <= 0:
                    raise BusError("ERR_BUS_TIMEOUT", f"{address} did not answer in {timeout} s", retryable=True)
                self._connection.process_data_events(time_limit=min(left, PROBE_EVERY))
                self._probe(role)
            if isinstance(entry["outcome"], BusError):
                raise entry["outcome"]
            answer = answer_class()
            answer.ParseFromString(entry["outcome"])
            return answer
        finally:
            self._pending.pop(correlation, None)

    def _probe(self, role):
        """Asks a provider, through its own queue, which requests it has: an answer that a crash took never comes."""
        now = time.monotonic()
        if now < self._next_probe or self._channel is None:
            return
        self._next_probe = now + PROBE_EVERY
        asked = [one for one, entry in self._pending.items() if entry["role"] == role and entry["sent"] < now - PROBE_EVERY]
        if not asked:
            return
        identity = uuid.uuid4().hex
        self._probes = {identity: asked}
        properties = pika.BasicProperties(type="probe", content_type="text/plain", correlation_id=identity, reply_to=REPLY_TO)
        body = "\n".join(asked).encode("latin-1")
        self._channel.basic_publish(self._exchange("rpc"), f"probe.{role}", body, properties, mandatory=True)

    def _on_answer(self, _channel, _method, properties, body):
        correlation = properties.correlation_id or ""
        if self._probes.pop(correlation, None) is not None:
            for one in body.decode("latin-1").split("\n") if body else []:
                self._settle(one, BusError("ERR_BUS_PROVIDER_LOST", "the provider went away: the outcome is unknown"))
        elif properties.type == "error":
            facts = json.loads(body)
            self._settle(correlation, BusError(facts["code"], facts["message"], facts.get("hint"), facts.get("retryable", False)))
        else:
            self._settle(correlation, body)

    def _on_return(self, _channel, _method, properties, _body):
        correlation = properties.correlation_id or ""
        for one in self._probes.pop(correlation, []):
            self._settle(one, BusError("ERR_BUS_PROVIDER_LOST", "the provider went away: the outcome is unknown"))
        self._settle(correlation, BusError("ERR_BUS_NO_PROVIDER", "nobody serves this call", retryable=True))

    def _settle(self, correlation, outcome):
        entry = self._pending.get(correlation)
        if entry is not None and entry["outcome"] is None:
            entry["outcome"] = outcome


def stop_on_signals(bus):
    """SIGTERM and SIGINT end the program after the message in hand."""
    import signal

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: bus.stop())


def set_up_logging():
    level = os.environ.get("LOG_LEVEL", "INFO")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("pika").setLevel(os.environ.get("PIKA_LOG_LEVEL", "CRITICAL"))
