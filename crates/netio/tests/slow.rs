//! Clients that take in what they are sent slowly, but do.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::time::Duration;

use kit::*;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// The server's own buffers must not hide a client's progress for longer than a timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_far_above_the_least_rate_is_not_cut_off() {
    const WINDOW: Duration = Duration::from_secs(2);
    let (outcomes, mut outcome) = mpsc::channel(1);
    let daemon = Setup::default().start(move |mut connection| {
        let outcomes = outcomes.clone();
        async move {
            let message = vec![b'x'; 4 << 20];
            outcomes.send(connection.write_all(&message, WINDOW).await).await.unwrap();
        }
    });
    // A small window, or the client's own system would take in megabytes on its behalf.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    let mut client = within(socket.connect(daemon.address)).await.unwrap();
    // 8 KiB a second, 64 times the least, for longer than several windows.
    let mut taken = vec![0; 1024];
    for _ in 0..120 {
        client.read_exact(&mut taken).await.unwrap();
        tokio::time::sleep(Duration::from_millis(125)).await;
        assert!(outcome.try_recv().is_err(), "cut off");
    }
    drop(client);
    assert!(within(outcome.recv()).await.unwrap().is_err());
}
