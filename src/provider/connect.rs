//! Connections to providers: TCP, then TLS with HTTP/2 by ALPN, all within one time limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower::Service;

/// Bounds the whole of connecting: name resolution, TCP and the TLS handshake.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Connector {
    /// A connector that trusts the web's roots and `extra_roots` (PEM).
    ///
    /// # Errors
    /// A sentence when `extra_roots` cannot be used.
    pub(super) fn new(extra_roots: &[u8], limit: Duration) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if !extra_roots.is_empty() {
            let mut count = 0_usize;
            for certificate in CertificateDer::pem_slice_iter(extra_roots) {
                let certificate =
                    certificate.map_err(|error| format!("certificate {}: not PEM ({error})", count + 1))?;
                roots
                    .add(certificate)
                    .map_err(|error| format!("certificate {}: cannot be used ({error})", count + 1))?;
                count += 1;
            }
            if count == 0 {
                return Err("holds no certificate; give a PEM file with -----BEGIN CERTIFICATE-----".to_owned());
            }
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("no TLS version to speak ({error})"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_keepalive(Some(Duration::from_secs(30)));
        // Plain http is refused where the provider is declared; here the scheme is what was declared.
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        Ok(Self { inner, limit })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connected = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connected, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
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
