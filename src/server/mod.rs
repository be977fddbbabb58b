//! Listeners: hyper on the data port, drain, limits on connections.
//!
//! ```text
//! listen (accept, one task a connection) ─► serve (TLS, version, hyper) ─► Handler
//!                                            │ wire: what is read and written, watched (watch) and checked (strict)
//! ```

mod drain;
mod handler;
mod limit;
mod listen;
mod serve;
mod strict;
mod tls;
mod watch;
mod wire;

pub use drain::Drained;
pub use handler::{Handler, Peer};
pub use listen::{Server, ServerConfig};
pub use tls::tls_config;
