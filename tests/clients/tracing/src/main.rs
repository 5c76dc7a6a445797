//! Logs through tracing-loki; its background task ends once everything is sent.

use tracing_subscriber::layer::SubscriberExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which URL?")?;
    let (layer, controller, task) = tracing_loki::builder()
        .label("client", "tracing-loki")?
        .extra_field("pid", "7")?
        .build_controller_url(url::Url::parse(&url)?)?;
    let subscriber = tracing_subscriber::registry().with(layer);
    let running = tokio::spawn(task);
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..20 {
            tracing::warn!(number, "line {number}");
        }
    });
    controller.shutdown().await;
    Ok(running.await?)
}
