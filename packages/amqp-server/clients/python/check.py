"""Exercises an AMQP server with pika. Usage: check.py amqp://host:port"""

import sys

import pika

COUNT = 2000


def publish_and_consume(connection):
    channel = connection.channel()
    channel.confirm_delivery()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "amq.topic", "python.*.#")
    properties = pika.BasicProperties(content_type="text/plain", headers={"n": 1, "s": "x", "list": [1, True, None]})
    for number in range(COUNT):
        channel.basic_publish("amq.topic", f"python.check.{number}", str(number).encode(), properties, mandatory=True)
    channel.basic_qos(prefetch_count=100)
    received = []
    for method, props, body in channel.consume(queue, inactivity_timeout=10):
        assert props.headers == {"n": 1, "s": "x", "list": [1, True, None]}, props.headers
        received.append(int(body))
        channel.basic_ack(method.delivery_tag)
        if len(received) == COUNT:
            break
    assert received == list(range(COUNT)), "order or number of messages"
    channel.cancel()
    channel.close()


def returned(connection):
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("amq.direct", "nowhere", b"x", mandatory=True)
    except pika.exceptions.UnroutableError:
        channel.close()
        return
    raise AssertionError("an unroutable message was not returned")


def call(connection):
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    replies = []
    channel.basic_consume(
        "amq.rabbitmq.reply-to", lambda ch, method, props, body: replies.append(body), auto_ack=True
    )

    def answer(ch, method, props, body):
        ch.basic_publish("", props.reply_to, body.upper())

    channel.basic_consume(queue, answer, auto_ack=True)
    channel.basic_publish("", queue, b"call", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
    while not replies:
        connection.process_data_events(time_limit=1)
    assert replies == [b"CALL"], replies
    channel.close()


def dead_letter(connection):
    channel = connection.channel()
    letters = channel.queue_declare("", exclusive=True).method.queue
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": letters, "x-message-ttl": 60000}
    queue = channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
    channel.basic_publish("", queue, b"bad")
    method, _, _ = channel.basic_get(queue)
    channel.basic_nack(method.delivery_tag, requeue=False)
    _, props, body = channel.basic_get(letters, auto_ack=True)
    assert body == b"bad" and props.headers["x-death"][0]["reason"] == "rejected", props
    channel.close()


def refused(connection):
    channel = connection.channel()
    try:
        channel.queue_declare("nowhere", passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404, error
        return
    raise AssertionError("a missing queue was found")


def main():
    connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
    for check in (publish_and_consume, returned, call, dead_letter, refused):
        check(connection)
    connection.close()
    print("ok")


main()
