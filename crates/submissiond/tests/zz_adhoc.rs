//! adhoc
#![allow(clippy::unwrap_used)]
#[allow(dead_code)]
mod kit;
#[tokio::test]
async fn adhoc() {
    let daemon = kit::start(kit::SUBMISSION).await;
    std::fs::write("/tmp/adhoc.ports", format!("{:?}", daemon.addresses)).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(25)).await;
    for m in daemon.queued().await { println!("=====\n{:?}\n{}", m.envelope, m.text()); }
}
