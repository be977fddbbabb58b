//! The end of a server: connections are told to finish, given time, then cut.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How a server ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Drained {
    /// Exchanges that had not finished in time and were cut.
    pub cut: usize,
}

/// Tells every connection to finish, waits at most `limit`, and cuts the rest; `open` counts the open exchanges.
pub(super) async fn drain(
    mut connections: JoinSet<()>,
    tell: watch::Sender<bool>,
    limit: Duration,
    open: &AtomicUsize,
) -> Drained {
    tell.send_replace(true);
    let finishing = async {
        while let Some(ended) = connections.join_next().await {
            log_panic(ended);
        }
    };
    let _ = timeout(limit, finishing).await;
    let cut = open.load(Ordering::SeqCst);
    connections.shutdown().await;
    Drained { cut }
}

/// Waits until the drain begins.
pub(super) async fn begun(told: &mut watch::Receiver<bool>) {
    // An error means that the server is gone: then the end has begun too.
    let _ = told.wait_for(|drain| *drain).await;
}

/// A connection's task ends well or by a panic that nobody caught: the process lives on, the log knows.
pub(super) fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection's task panicked; its connection was closed");
    }
}
