//! Connections: addresses judged by [`Reach`], TCP, then TLS with HTTP/2 by ALPN, all within one time limit.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower::Service;

use super::Reach;

/// Bounds the whole of connecting: name resolution, TCP and the TLS handshake.
#[derive(Clone)]
pub struct Connector {
    inner: HttpsConnector<HttpConnector<Resolver>>,
    reach: Reach,
    limit: Duration,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("reach", &self.reach).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector that trusts the web's roots and `extra_roots` (PEM).
    ///
    /// # Errors
    /// A sentence when `extra_roots` cannot be used.
    pub fn new(extra_roots: &[u8], reach: Reach, limit: Duration) -> Result<Self, String> {
        let tls = client_tls(extra_roots)?;
        let mut http = HttpConnector::new_with_resolver(Resolver(reach));
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_keepalive(Some(Duration::from_secs(30)));
        // Plain http is refused where the receiver is declared; here the scheme is what was declared.
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        Ok(Self { inner, reach, limit })
    }
}

/// TLS 1.2 and 1.3 that trusts the web's roots and `extra_roots` (PEM).
///
/// # Errors
/// A sentence when `extra_roots` cannot be used.
pub fn client_tls(extra_roots: &[u8]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if !extra_roots.is_empty() {
        let mut count = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(extra_roots) {
            let certificate = certificate.map_err(|error| format!("certificate {}: not PEM ({error})", count + 1))?;
            roots.add(certificate).map_err(|error| format!("certificate {}: cannot be used ({error})", count + 1))?;
            count += 1;
        }
        if count == 0 {
            return Err("holds no certificate; give a PEM file with -----BEGIN CERTIFICATE-----".to_owned());
        }
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("no TLS version to speak ({error})"))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The addresses of a host that may all be reached. One that may not refuses the whole name: a name that leads to a public and
/// to a private place at once is nobody's honest mistake.
///
/// # Errors
/// A name that cannot be resolved, or an address out of reach.
pub async fn resolve(host: &str, port: u16, reach: Reach) -> io::Result<Vec<SocketAddr>> {
    let host = host.trim_matches(['[', ']']);
    if let Ok(address) = host.parse::<IpAddr>() {
        reach.check(address, true).map_err(refused)?;
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    judge(host, &addresses, reach)?;
    Ok(addresses)
}

fn judge(host: &str, addresses: &[SocketAddr], reach: Reach) -> io::Result<()> {
    let is_named = is_this_machine(host);
    for address in addresses {
        reach.check(address.ip(), is_named).map_err(|why| refused(format!("{host}: {why}")))?;
    }
    Ok(())
}

/// `localhost` and what lies under it are this machine: RFC 6761, section 6.3.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connected = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connected, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // A number in the URL is never resolved, so it is judged here.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>()
            && let Err(why) = self.reach.check(address, true)
        {
            return Box::pin(async move { Err(why.into()) });
        }
        let connecting = Service::call(&mut self.inner, uri);
        let limit = self.limit;
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(result) => result,
                Err(_) => Err(format!("no connection within {} ms", limit.as_millis()).into()),
            }
        })
    }
}

/// Resolves names to addresses within reach.
#[derive(Clone, Debug)]
struct Resolver(Reach);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        Box::pin(async move { Ok(resolve(name.as_str(), 0, reach).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_home_is_refused_unless_it_says_so() {
        let judged = |host: &str, addresses: &[&str], reach| {
            let addresses: Vec<_> =
                addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 443)).collect();
            judge(host, &addresses, reach).is_ok()
        };
        assert!(judged("hooks.example", &["8.8.8.8", "2606:4700::1111"], Reach::Written));
        assert!(!judged("hooks.example", &["8.8.8.8", "10.0.0.1"], Reach::Written), "one is enough");
        assert!(!judged("hooks.example", &["127.0.0.1"], Reach::Written));
        assert!(judged("hooks.example", &["127.0.0.1", "10.0.0.1"], Reach::Private));
        assert!(!judged("hooks.example", &["169.254.169.254"], Reach::Private));
        for host in ["localhost", "LOCALHOST", "localhost.", "receiver.localhost"] {
            assert!(judged(host, &["127.0.0.1", "::1"], Reach::Written), "{host}");
        }
        assert!(!judged("notlocalhost", &["127.0.0.1"], Reach::Written));
    }

    #[tokio::test]
    async fn numbers_are_what_was_written() {
        for (host, is_reached) in [("127.0.0.1", true), ("[::1]", true), ("10.1.2.3", true), ("169.254.169.254", false)]
        {
            assert_eq!(resolve(host, 1, Reach::Written).await.is_ok(), is_reached, "{host}");
        }
    }

    #[tokio::test]
    async fn the_connector_judges_numbers_that_are_never_resolved() {
        let mut connector = Connector::new(&[], Reach::Private, Duration::from_secs(1)).unwrap();
        for url in ["http://169.254.169.254/latest/meta-data", "https://[fe80::1]/", "http://[::ffff:169.254.169.254]/"]
        {
            let error = connector.call(url.parse().unwrap()).await.err().unwrap();
            assert!(error.to_string().contains("never connected to"), "{url}: {error}");
        }
    }
}
