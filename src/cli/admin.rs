//! The admin port of the appliance that runs on this machine, asked from the command line with the token of its state
//! folder.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::{ConfigArg, Failure, block_on};
use crate::app::{ADMIN_ADDRESS, is_running};
use crate::base::Limits;
use crate::config::Source;

/// Longest that an answer may take: compiling a large rule set takes seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of an answer.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// An appliance as the command line finds it: by what can be read of its configuration, for it may be broken just now.
#[derive(Debug)]
pub(super) struct Appliance {
    pub(super) source: Source,
    pub(super) state: PathBuf,
    pub(super) limits: Limits,
    admin: Option<SocketAddr>,
}

/// The appliance of this configuration.
pub(super) fn appliance(config: &ConfigArg) -> Result<Appliance, Failure> {
    let readable = config.readable();
    let Some(state) = readable.state else {
        // Then it says why.
        config.load()?;
        return Err(Failure::usage("the configuration names no state folder"));
    };
    let (admin, limits) = (readable.admin, readable.limits.unwrap_or_default());
    Ok(Appliance { source: config.source(), state, limits, admin })
}

/// Asks the running appliance. `None`: none runs.
pub(super) fn ask(
    appliance: &Appliance,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Option<(StatusCode, Value)>, Failure> {
    if !is_running(&appliance.state) {
        return Ok(None);
    }
    let Some(address) = address(appliance) else { return Ok(None) };
    let token = appliance.state.join("admin-token");
    let token = match fs::read_to_string(&token) {
        Ok(token) => token,
        // Never started.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::job(format!("{} cannot be read: {error}", token.display()))),
    };
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"))
        .header(AUTHORIZATION, format!("Bearer {}", token.trim()))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(Failure::job)?;
    block_on(async {
        let asking = tokio::time::timeout(PATIENCE, send(request));
        let late = format!("the appliance at {address} did not answer within {} s", PATIENCE.as_secs());
        asking.await.map_err(|_| Failure::job(late))?
    })?
}

async fn send(request: Request<Full<Bytes>>) -> Result<Option<(StatusCode, Value)>, Failure> {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = match client.request(request).await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Ok(None),
        Err(error) => return Err(Failure::job(format!("the admin port did not answer: {error}"))),
    };
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| Failure::job(format!("the admin port's answer broke off: {error}")))?.to_bytes();
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok(Some((status, answer))),
        Err(_) => {
            let said = String::from_utf8_lossy(&body);
            Err(Failure::job(format!("the admin port answered {status}: {}", said.trim().escape_debug())))
        }
    }
}

/// Where it listens: what the running appliance wrote down, else what the configuration says.
fn address(appliance: &Appliance) -> Option<SocketAddr> {
    let written = fs::read_to_string(appliance.state.join(ADMIN_ADDRESS)).ok();
    let mut address: SocketAddr = written.and_then(|text| text.trim().parse().ok()).or(appliance.admin)?;
    // One that listens everywhere is reached here.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    (address.port() != 0).then_some(address)
}
