// Exercises an AMQP server with lapin. Usage: cargo run -- amqp://host:port
use futures_lite::{future::block_on, StreamExt};
use lapin::{
    options::*,
    types::{AMQPValue, FieldTable, ShortString},
    BasicProperties, Channel, Connection, ConnectionProperties, Error, Result,
};

const COUNT: usize = 2000;

async fn declare(channel: &Channel, arguments: FieldTable) -> Result<String> {
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    Ok(channel.queue_declare("", options, arguments).await?.name().to_string())
}

async fn publish_and_consume(connection: &Connection) -> Result<()> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let queue = declare(&channel, FieldTable::default()).await?;
    channel
        .queue_bind(&queue, "amq.topic", "rust.*.#", QueueBindOptions::default(), FieldTable::default())
        .await?;
    let mut confirms = Vec::new();
    for number in 0..COUNT {
        let key = format!("rust.check.{number}");
        let body = number.to_string();
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default().with_content_type("text/plain".into());
        confirms.push(channel.basic_publish("amq.topic", &key, options, body.as_bytes(), properties).await?);
    }
    for confirm in confirms {
        assert!(confirm.await?.is_ack(), "negative confirm");
    }
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let mut consumer = channel
        .basic_consume(&queue, "", BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    for number in 0..COUNT {
        let delivery = consumer.next().await.expect("the consumer ended")?;
        assert_eq!(delivery.data, number.to_string().into_bytes(), "order of messages");
        delivery.ack(BasicAckOptions::default()).await?;
    }
    channel.close(200, "").await
}

async fn returned(connection: &Connection) -> Result<()> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let confirm = channel
        .basic_publish("amq.direct", "nowhere", options, b"x", BasicProperties::default())
        .await?
        .await?;
    let message = confirm.take_message().expect("an unroutable message was not returned");
    assert_eq!(message.reply_code, 312);
    channel.close(200, "").await
}

async fn call(connection: &Connection) -> Result<()> {
    let channel = connection.create_channel().await?;
    let queue = declare(&channel, FieldTable::default()).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut replies = channel.basic_consume("amq.rabbitmq.reply-to", "replies", options, FieldTable::default()).await?;
    let mut work = channel.basic_consume(&queue, "work", options, FieldTable::default()).await?;
    let ask = BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to".into());
    channel.basic_publish("", &queue, BasicPublishOptions::default(), b"call", ask).await?;
    let request = work.next().await.expect("no request")?;
    let address: ShortString = request.properties.reply_to().clone().expect("no reply-to");
    channel
        .basic_publish("", address.as_str(), BasicPublishOptions::default(), b"CALL", BasicProperties::default())
        .await?;
    assert_eq!(replies.next().await.expect("no reply")?.data, b"CALL");
    channel.close(200, "").await
}

async fn dead_letter(connection: &Connection) -> Result<()> {
    let channel = connection.create_channel().await?;
    let letters = declare(&channel, FieldTable::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(letters.as_str().into()));
    let queue = declare(&channel, arguments).await?;
    let options = BasicPublishOptions::default();
    channel.basic_publish("", &queue, options, b"bad", BasicProperties::default()).await?;
    let message = channel.basic_get(&queue, BasicGetOptions::default()).await?.expect("no message");
    message.nack(BasicNackOptions { requeue: false, ..Default::default() }).await?;
    let letter = channel.basic_get(&letters, BasicGetOptions { no_ack: true }).await?.expect("no dead letter");
    let headers = letter.properties.headers().clone().expect("no headers");
    assert!(headers.inner().contains_key("x-death"), "no x-death");
    channel.close(200, "").await
}

async fn refused(connection: &Connection) -> Result<()> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    match channel.queue_declare("nowhere", options, FieldTable::default()).await {
        Err(Error::ProtocolError(error)) => assert_eq!(error.get_id(), 404),
        other => panic!("a missing queue gave {other:?}"),
    }
    Ok(())
}

fn main() -> Result<()> {
    let url = std::env::args().nth(1).expect("the URL of a server");
    block_on(async {
        let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
        publish_and_consume(&connection).await?;
        returned(&connection).await?;
        call(&connection).await?;
        dead_letter(&connection).await?;
        refused(&connection).await?;
        connection.close(200, "").await?;
        println!("ok");
        Ok(())
    })
}
