//! The listener: binds, accepts no more than may be open, and drains at the end.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rustls::ServerConfig as TlsConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::drain::{Drained, drain, log_panic};
use super::handler::Handler;
use super::serve::{Shared, connection};
use crate::base::Limits;

/// How a server serves.
#[derive(Clone)]
pub struct ServerConfig {
    /// All limits; the server reads those on connections, heads, idleness and drain.
    pub limits: Limits,
    /// TLS with its certificates ([`super::tls_config`]); `None` for plain TCP.
    pub tls: Option<Arc<TlsConfig>>,
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig").field("limits", &self.limits).field("tls", &self.tls.is_some()).finish()
    }
}

/// A bound data port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
}

impl Server {
    /// Binds the address; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's, with a sentence that says what to do.
    pub async fn bind(address: SocketAddr, config: ServerConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| explain(address, &error))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, config })
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends, then drains: no new connections; open ones are told to finish and have
    /// [`Limits::drain_ms`]; the rest is cut. Never ends by itself.
    pub async fn run<H, S>(self, handler: H, shutdown: S) -> Drained
    where
        H: Handler,
        S: Future<Output = ()>,
    {
        let limits = self.config.limits.clone();
        let open = Arc::new(AtomicUsize::new(0));
        let shared =
            Arc::new(Shared { handler, limits: limits.clone(), tls: self.config.tls, open: Arc::clone(&open) });
        let room = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
        let (tell, told) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            // Further clients wait in the kernel's backlog until somebody leaves.
            let permit = tokio::select! {
                () = shutdown.as_mut() => break,
                permit = Arc::clone(&room).acquire_owned() => match permit {
                    Ok(permit) => permit,
                    Err(_) => break,
                },
            };
            let (stream, peer) = tokio::select! {
                () = shutdown.as_mut() => break,
                accepted = accept(&self.listener) => accepted,
            };
            while let Some(ended) = connections.try_join_next() {
                log_panic(ended);
            }
            let shared = Arc::clone(&shared);
            let told = told.clone();
            connections.spawn(async move {
                connection(shared, stream, peer, told).await;
                drop(permit);
            });
        }
        drop(self.listener);
        drain(connections, tell, Duration::from_millis(limits.drain_ms), &open).await
    }
}

/// The next connection. Errors do not end the listener: those of one connection are skipped, those of the machine (no file
/// descriptors, no memory) are waited out.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = ACCEPT_PAUSE;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
                }
                return (stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(
                    %error,
                    pause_ms = pause.as_millis(),
                    "cannot accept connections; if this is about open files, raise LimitNOFILE or lower limits.connections"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn explain(address: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there; stop it (ss -ltnp shows which) or choose another port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; use one that `ip address` shows, or 0.0.0.0 for all".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            format!("port {} needs a privilege; use a port from 1024, or give CAP_NET_BIND_SERVICE", address.port())
        }
        _ => "check the listen address in the configuration".to_owned(),
    };
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; {advice}"))
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_says_what_to_do() {
        let config = ServerConfig { limits: Limits::default(), tls: None };
        let first = Server::bind(([127, 0, 0, 1], 0).into(), config.clone()).await.unwrap();
        let error = Server::bind(first.local_addr(), config).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("choose another port"), "{error}");
    }

    #[test]
    fn other_refusals_say_what_to_do() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let denied = explain(address, &io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(denied.to_string().contains("CAP_NET_BIND_SERVICE"), "{denied}");
        let absent = explain(address, &io::Error::from(io::ErrorKind::AddrNotAvailable));
        assert!(absent.to_string().contains("ip address"), "{absent}");
    }

    #[test]
    fn errors_of_one_connection_are_told_from_the_machines() {
        assert!(is_of_one_connection(&io::Error::from(io::ErrorKind::ConnectionAborted)));
        // EMFILE
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(24)));
    }
}
