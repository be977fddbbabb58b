//! `portcullis demo`: the whole appliance on the loopback, a score of prompts through its real ports, and what became of
//! each.

mod cases;

use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::run::failure;
use super::{ConfigArg, Failure, block_on, out};
use crate::app::App;
use crate::config::{Config, ProviderAuth, ProviderConfig, ProviderKind, Source, StoreConfig, Written};
use crate::egress::Reach;
use crate::provider::{MockConfig, MockProvider};
use crate::route::ModelPattern;
use crate::telemetry::{metrics, trace};
use cases::{Case, Expect};

/// Longest that one prompt of the demo may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Start everything on the loopback, send a score of prompts through it, and show the verdicts.
#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &DemoArgs) -> Result<u8, Failure> {
    let (mut config, origin) = args.config.written()?;
    trace::install(config.log.format, "error").map_err(Failure::usage)?;
    let prometheus = metrics::install().map_err(Failure::job)?;
    config.state = config.state.join("demo");
    // Nobody else takes part, and the record of real traffic stays as it is.
    config.server.data = ([127, 0, 0, 1], 0).into();
    config.server.admin = ([127, 0, 0, 1], 0).into();
    let store = match std::mem::replace(&mut config.audit.store, StoreConfig::Sqlite) {
        StoreConfig::Sqlite => "",
        StoreConfig::Postgres(_) => " PORTCULLIS_AUDIT__STORE=sqlite",
    };
    config.server.tls = None;
    config.watch_rules = false;
    config.access.anonymous = true;
    let state = config.state.clone();
    block_on(async move {
        let leaky = MockProvider::start(([127, 0, 0, 1], 0).into(), leaky()).await?;
        config.providers = vec![provider("demo", ProviderKind::Mock), remote("leaky", leaky.addr())];
        let wrong = start_and_show(config, origin, prometheus).await?;
        leaky.stop().await;
        let state = state.display();
        out::line(format!("\nreview   PORTCULLIS_STATE={state}{store} portcullis audit list"))?;
        out::line(format!("         PORTCULLIS_STATE={state}{store} portcullis audit show <exchange>"))?;
        match wrong {
            0 => Ok(0),
            wrong => Err(Failure::job(format!("{wrong} prompts did not go as they should"))),
        }
    })?
}

/// Runs all prompts through a running appliance; how many did not go as they should.
async fn start_and_show(
    config: Config,
    origin: (Source, Written),
    prometheus: metrics::PrometheusHandle,
) -> Result<usize, Failure> {
    let app = App::start(config, origin, prometheus).await.map_err(failure)?;
    let model = app.model.as_deref().unwrap_or("none: RULES ONLY");
    out::line(format!("portcullis {}: {} rules, classifier {model}\n", env!("CARGO_PKG_VERSION"), app.rules))?;
    out::line(format!("{:<46} {:<10} {:<12} {:>9}  exchange", "prompt", "expected", "verdict", "ms"))?;
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let cases = cases::all();
    let (mut wrong, mut times) = (0, Vec::new());
    for case in &cases {
        let began = Instant::now();
        let asking = tokio::time::timeout(PATIENCE, ask(&client, &app, case)).await;
        let seen = asking.map_err(|_| Failure::job(format!("`{}` took over {PATIENCE:?}", case.title)))??;
        let took = began.elapsed();
        times.push(took);
        let as_expected = case.expect == seen.what;
        wrong += usize::from(!as_expected);
        let mark = if as_expected { ' ' } else { '!' };
        let (expected, what) = (case.expect.name(), seen.what.name());
        let ms = took.as_secs_f64() * 1000.0;
        out::line(format!("{:<46} {expected:<10} {what:<11}{mark} {ms:>9.1}  {}", case.title, seen.id))?;
    }
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    app.stop().await;
    let summary = format!(
        "\n{} prompts, {} as expected, median {:.1} ms from the client's side (the first ones warm up)",
        cases.len(),
        cases.len() - wrong,
        median.as_secs_f64() * 1000.0
    );
    out::line(summary)?;
    Ok(wrong)
}

/// What the client saw.
struct Seen {
    what: Expect,
    id: String,
}

async fn ask(client: &Client<HttpConnector, Full<Bytes>>, app: &App, case: &Case) -> Result<Seen, Failure> {
    let request = Request::post(format!("http://{}/v1/chat/completions", app.data))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(case.body.to_string()))
        .map_err(Failure::job)?;
    let response = client.request(request).await.map_err(Failure::job)?;
    let status = response.status();
    let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("-").to_owned();
    let body = response.into_body().collect().await.map_err(Failure::job)?.to_bytes();
    let body = String::from_utf8_lossy(&body);
    let what = if status == StatusCode::BAD_REQUEST && body.contains("content_filter") {
        Expect::Block
    } else if !status.is_success() {
        return Err(Failure::job(format!("`{}` was answered {status}: {body}", case.title)));
    } else if body.contains(cases::FAKE_KEY) {
        Expect::Leak
    } else if body.contains("\"content_filter\"") {
        Expect::Cut
    } else if case.body.to_string().contains(cases::LEAKY) {
        Expect::Redact
    } else {
        Expect::Pass
    };
    Ok(Seen { what, id })
}

/// A provider whose answers hold a secret, four bytes an event.
fn leaky() -> MockConfig {
    let reply = format!("Sure. The deployment key is {} and the region is eu-west-1.", cases::FAKE_KEY);
    MockConfig { reply: Some(reply), chunk_bytes: 4, ..MockConfig::default() }
}

fn provider(name: &str, kind: ProviderKind) -> ProviderConfig {
    ProviderConfig { name: name.to_owned(), kind, models: vec![ModelPattern::new(name)], prices: Vec::new() }
}

fn remote(name: &str, address: std::net::SocketAddr) -> ProviderConfig {
    let base_url = format!("http://{address}/v1");
    provider(name, ProviderKind::Remote { base_url, auth: ProviderAuth::None, ca_file: None, reach: Reach::default() })
}
