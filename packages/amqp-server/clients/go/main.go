// Exercises an AMQP server with amqp091-go. Usage: go run . amqp://host:port
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const count = 2000

func check(err error, what string) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(1)
	}
}

func declare(ch *amqp.Channel, args amqp.Table) string {
	q, err := ch.QueueDeclare("", false, false, true, false, args)
	check(err, "declare")
	return q.Name
}

func publishAndConsume(ctx context.Context, conn *amqp.Connection) {
	ch, err := conn.Channel()
	check(err, "channel")
	check(ch.Confirm(false), "confirm")
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, count))
	queue := declare(ch, nil)
	check(ch.QueueBind(queue, "go.*.#", "amq.topic", false, nil), "bind")
	headers := amqp.Table{"n": int32(1), "f": 1.5, "t": time.Unix(1700000000, 0), "nested": amqp.Table{"x": "y"}}
	for i := 0; i < count; i++ {
		msg := amqp.Publishing{Body: []byte(fmt.Sprint(i)), Headers: headers}
		check(ch.PublishWithContext(ctx, "amq.topic", fmt.Sprintf("go.check.%d", i), true, false, msg), "publish")
	}
	for i := 0; i < count; i++ {
		if c := <-confirms; !c.Ack {
			check(errors.New("negative confirm"), "confirm")
		}
	}
	check(ch.Qos(100, 0, false), "qos")
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	check(err, "consume")
	for i := 0; i < count; i++ {
		d := <-deliveries
		if string(d.Body) != fmt.Sprint(i) || d.Headers["f"] != 1.5 {
			check(fmt.Errorf("message %d is %q", i, d.Body), "order")
		}
		check(d.Ack(false), "ack")
	}
	check(ch.Close(), "close")
}

func returned(ctx context.Context, conn *amqp.Connection) {
	ch, err := conn.Channel()
	check(err, "channel")
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	check(ch.PublishWithContext(ctx, "amq.direct", "nowhere", true, false, amqp.Publishing{}), "publish")
	if r := <-returns; r.ReplyCode != 312 {
		check(fmt.Errorf("reply code %d", r.ReplyCode), "return")
	}
	check(ch.Close(), "close")
}

func call(ctx context.Context, conn *amqp.Connection) {
	ch, err := conn.Channel()
	check(err, "channel")
	queue := declare(ch, nil)
	replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	check(err, "reply consumer")
	work, err := ch.Consume(queue, "", true, false, false, false, nil)
	check(err, "consume")
	ask := amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1", Body: []byte("call")}
	check(ch.PublishWithContext(ctx, "", queue, false, false, ask), "ask")
	w := <-work
	answer := amqp.Publishing{CorrelationId: w.CorrelationId, Body: []byte("CALL")}
	check(ch.PublishWithContext(ctx, "", w.ReplyTo, true, false, answer), "answer")
	if r := <-replies; string(r.Body) != "CALL" || r.CorrelationId != "1" {
		check(fmt.Errorf("reply %q", r.Body), "call")
	}
	check(ch.Close(), "close")
}

func deadLetter(ctx context.Context, conn *amqp.Connection) {
	ch, err := conn.Channel()
	check(err, "channel")
	letters := declare(ch, nil)
	queue := declare(ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": letters})
	check(ch.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{Body: []byte("bad")}), "publish")
	d, ok, err := ch.Get(queue, false)
	check(err, "get")
	if ok {
		check(d.Nack(false, false), "nack")
	}
	letter, ok, err := ch.Get(letters, true)
	check(err, "get letter")
	if !ok || letter.Headers["x-first-death-reason"] != "rejected" {
		check(fmt.Errorf("headers %v", letter.Headers), "dead letter")
	}
	check(ch.Close(), "close")
}

func refused(conn *amqp.Connection) {
	ch, err := conn.Channel()
	check(err, "channel")
	_, err = ch.QueueDeclarePassive("nowhere", false, false, false, false, nil)
	var failure *amqp.Error
	if !errors.As(err, &failure) || failure.Code != 404 {
		check(fmt.Errorf("got %v", err), "missing queue")
	}
}

func main() {
	conn, err := amqp.Dial(os.Args[1])
	check(err, "dial")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	publishAndConsume(ctx, conn)
	returned(ctx, conn)
	call(ctx, conn)
	deadLetter(ctx, conn)
	refused(conn)
	check(conn.Close(), "close")
	fmt.Println("ok")
}
