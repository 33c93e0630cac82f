//! A daemon whose timers stand still unless the test moves them.
//!
//! Tokio moves a stopped clock by itself when nothing else is to be done, but not while a blocking
//! task is under way; the client is one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::ManualClock;
use lastpost::config::Config;
use lastpost::service::{Role, Service};
use lastpost_tests::House;

use crate::kit::PATIENCE;

/// What the client may ask for in the middle of its dialogue.
enum Wish {
    Advance(Duration, std::sync::mpsc::Sender<()>),
}

/// Starts a daemon on the files of `house` whose timers stand still; `dialogue` gets the address
/// of its POP3 listener and a function that lets time pass.
pub(crate) fn with_stopped_clock<F>(house: &mut House, dialogue: F)
where
    F: FnOnce(SocketAddr, &dyn Fn(Duration)) + Send + 'static,
{
    house.stop();
    let config = Config::load(&house.path("lastpost.toml")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
        let service = Service::start(config, Role::Pop3, clock).await.unwrap();
        let address = service.address("pop3").unwrap();
        let (wish, mut wishes) = tokio::sync::mpsc::channel(1);
        // Before the clock stops, so that it never moves by itself.
        let client = tokio::task::spawn_blocking(move || {
            let advance = |by: Duration| {
                let (done, wait) = std::sync::mpsc::channel();
                wish.blocking_send(Wish::Advance(by, done)).unwrap();
                wait.recv_timeout(PATIENCE).unwrap();
            };
            dialogue(address, &advance);
        });
        tokio::time::pause();
        while let Some(Wish::Advance(by, done)) = wishes.recv().await {
            tokio::time::advance(by).await;
            done.send(()).unwrap();
        }
        let outcome = client.await;
        tokio::time::resume();
        service.stop().await;
        if let Err(error) = outcome {
            std::panic::resume_unwind(error.into_panic());
        }
    });
}
