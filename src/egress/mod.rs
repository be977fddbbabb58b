//! Connections that Portcullis opens: which addresses they may reach, TLS, requests to receivers of ours, and object stores. Inference
//! traffic goes through `provider`, over the same connector.

mod connect;
mod guard;
mod objects;
mod place;
mod post;
mod url;
mod web;

pub use connect::{Connector, client_tls, resolve};
pub use guard::Reach;
pub use objects::{Objects, ObjectsError};
pub use place::{ObjectsConfig, Place};
pub use post::Poster;
pub use url::web_url;
pub(crate) use web::chain;
pub use web::{Answer, Web, WebError};
