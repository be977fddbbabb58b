//! Connections that Portcullis opens: which addresses they may reach, TLS, and plain requests to receivers of ours. Inference
//! traffic goes through `provider`, over the same connector.

mod connect;
mod guard;
mod post;
mod url;

pub use connect::{Connector, client_tls, resolve};
pub use guard::Reach;
pub(crate) use post::chain;
pub use post::{Answer, PostError, Poster};
pub use url::web_url;
