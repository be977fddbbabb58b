//! The mock's routes, and its faults.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use tokio::time::sleep;

use super::config::{MockConfig, MockFault};
use super::reply::{Asked, chunks, error, models, whole};
use super::steps::{Step, Steps};

/// The connection is to break before the head.
#[derive(Debug)]
pub(super) struct BreakOff;

/// Answers one request.
pub(super) async fn answer(
    config: &MockConfig,
    id: u64,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Steps>, BreakOff> {
    let is_chat = path.ends_with("/chat/completions");
    let asked = match (method, is_chat, path.ends_with("/models")) {
        (&Method::POST, true, _) => match Asked::read(body) {
            Ok(asked) => Some(asked),
            Err(message) => return Ok(json(400, error(400, &message))),
        },
        (&Method::GET, false, true) => None,
        _ => return Ok(json(404, error(404, &format!("The mock has no {method} {path}.")))),
    };
    let control = headers
        .get("mock-control")
        .and_then(|value| value.to_str().ok())
        .or_else(|| asked.as_ref().and_then(|asked| asked.control.as_deref()));
    let config = match control.map(|control| config.with_control(control)) {
        None => config.clone(),
        Some(Ok(config)) => config,
        Some(Err(message)) => return Ok(json(400, error(400, &message))),
    };
    if config.head_delay_ms > 0 {
        sleep(Duration::from_millis(config.head_delay_ms)).await;
    }
    match config.fault {
        Some(MockFault::Hang) => std::future::pending().await,
        Some(MockFault::Reset) => return Err(BreakOff),
        Some(MockFault::Status(status)) => {
            return Ok(json(status, error(status, &format!("The mock was asked for status {status}."))));
        }
        Some(MockFault::Redirect) => {
            let mut response = json(307, Bytes::new());
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/v1/elsewhere"));
            return Ok(response);
        }
        _ => {}
    }
    Ok(match asked {
        None => plain(models(&config).to_string(), &config),
        Some(asked) if asked.stream => stream(&asked, &config, id),
        Some(asked) => plain(whole(&asked, &config, id).to_string(), &config),
    })
}

fn json(status: u16, body: Bytes) -> Response<Steps> {
    let mut response = Response::new(Steps::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, CONTENT_TYPE, "application/json");
    response
}

/// A reply in one piece, with what the fault makes of it.
fn plain(text: String, config: &MockConfig) -> Response<Steps> {
    let whole = Bytes::from(spoil(text, config.fault));
    let mut response = json(200, Bytes::new());
    let steps = match config.fault {
        Some(MockFault::Cut) => vec![Step::Data(half(&whole)), PAUSE, Step::Break],
        Some(MockFault::Silence) => vec![Step::Data(half(&whole)), Step::Hang],
        Some(MockFault::SlowDrip) => drip(&whole, config),
        Some(MockFault::HugeEvent) => vec![Step::Data(Bytes::from(format!("{{\"pad\":\"{}\"}}", "a".repeat(HUGE))))],
        _ => vec![Step::Data(whole)],
    };
    dress(&mut response, steps, config.fault);
    response
}

/// A reply as server-sent events, with what the fault makes of them.
fn stream(asked: &Asked, config: &MockConfig, id: u64) -> Response<Steps> {
    let end = if config.fault == Some(MockFault::Crlf) { "\r\n" } else { "\n" };
    let mut events: Vec<Bytes> = Vec::new();
    if config.fault == Some(MockFault::Crlf) {
        events.push(Bytes::from_static(b": a comment\r\n\r\nevent: message\r\nid: 1\r\nretry: 10\r\n"));
    }
    for (index, chunk) in chunks(asked, config, id).into_iter().enumerate() {
        let mut event = Vec::from("data: ");
        let text = chunk.to_string();
        // The fault strikes the second event, so that the stream has begun.
        event.extend(if index == 1 { spoil(text, config.fault) } else { text.into_bytes() });
        event.extend_from_slice(end.as_bytes());
        event.extend_from_slice(end.as_bytes());
        events.push(Bytes::from(event));
    }
    if config.fault != Some(MockFault::NoDone) {
        events.push(Bytes::from(format!("data: [DONE]{end}{end}")));
    }
    if config.fault == Some(MockFault::Bom)
        && let Some(first) = events.first_mut()
    {
        *first = [BOM, first.as_ref()].concat().into();
    }
    let middle = events.len() / 2;
    let mut steps = Vec::new();
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 && config.chunk_delay_ms > 0 {
            steps.push(Step::Wait(Duration::from_millis(config.chunk_delay_ms)));
        }
        match config.fault {
            Some(MockFault::Cut) if index == middle => {
                steps.extend([PAUSE, Step::Break]);
                break;
            }
            Some(MockFault::Silence) if index == middle => {
                steps.push(Step::Hang);
                break;
            }
            Some(MockFault::HugeEvent) if index == 1 => {
                steps.push(Step::Data(Bytes::from(format!("data: {{\"pad\":\"{}\"}}\n\n", "a".repeat(HUGE)))));
            }
            Some(MockFault::SlowDrip) => {
                steps.extend(drip(&event, config));
                continue;
            }
            _ => {}
        }
        steps.push(Step::Data(event));
    }
    let mut response = json(200, Bytes::new());
    set(&mut response, CONTENT_TYPE, "text/event-stream; charset=utf-8");
    dress(&mut response, steps, config.fault);
    response
}

/// Puts the steps into the response, and onto its head what the fault adds.
fn dress(response: &mut Response<Steps>, mut steps: Vec<Step>, fault: Option<MockFault>) {
    match fault {
        Some(MockFault::Brotli) => set(response, CONTENT_ENCODING, "br"),
        Some(MockFault::Charset) => set(response, CONTENT_TYPE, "application/json; charset=utf-16"),
        Some(MockFault::ContentType) => set(response, CONTENT_TYPE, "text/html"),
        Some(MockFault::Gzip | MockFault::GzipCut) => {
            set(response, CONTENT_ENCODING, "gzip");
            steps = compress(steps, fault == Some(MockFault::GzipCut));
        }
        Some(MockFault::HugeHead) => {
            for index in 0..HUGE_HEAD_FIELDS {
                if let (Ok(name), Ok(value)) =
                    (format!("x-huge-{index}").parse::<HeaderName>(), HeaderValue::from_str(&"a".repeat(4000)))
                {
                    response.headers_mut().insert(name, value);
                }
            }
        }
        Some(MockFault::Trailers) => {
            set(response, SET_COOKIE, "session=1");
            set(response, CONNECTION, "x-listed");
            for (name, value) in [
                ("x-listed", "1"),
                ("x-portcullis-verdict", "allow"),
                ("x-request-id", "mock-request"),
                ("server", "mock"),
            ] {
                set(response, HeaderName::from_static(name), value);
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("x-late", HeaderValue::from_static("1"));
            steps.push(Step::Trailers(trailers));
            set(response, http::header::TRAILER, "x-late");
        }
        _ => {}
    }
    *response.body_mut() = Steps::new(steps);
}

/// The text of one JSON document, spoilt as asked.
fn spoil(text: String, fault: Option<MockFault>) -> Vec<u8> {
    let inside = |with: &[u8]| {
        // Into the first string value that every document has.
        let at = text.find("\"object\":\"").map_or(0, |at| at + "\"object\":\"".len());
        let (before, after) = text.split_at_checked(at).unwrap_or((&text, ""));
        [before.as_bytes(), with, after.as_bytes()].concat()
    };
    match fault {
        Some(MockFault::Bom) => [BOM, text.as_bytes()].concat(),
        Some(MockFault::DuplicateKeys) => text.replacen('{', "{\"object\":\"first\",", 1).into_bytes(),
        Some(MockFault::Garbage) => b"{\"choices\": [this is no JSON".to_vec(),
        Some(MockFault::InvalidUtf8) => inside(&[0xff, 0xfe]),
        Some(MockFault::LoneSurrogate) => inside(b"\\ud800"),
        _ => text.into_bytes(),
    }
}

fn drip(bytes: &Bytes, config: &MockConfig) -> Vec<Step> {
    let pause = Duration::from_millis(config.chunk_delay_ms.max(1));
    (0..bytes.len()).flat_map(|at| [Step::Wait(pause), Step::Data(bytes.slice(at..=at))]).collect()
}

fn half(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}

fn compress(steps: Vec<Step>, cut: bool) -> Vec<Step> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for step in &steps {
        if let Step::Data(bytes) = step {
            // Writing to memory cannot fail.
            let _ = encoder.write_all(bytes);
        }
    }
    let whole = Bytes::from(encoder.finish().unwrap_or_default());
    vec![Step::Data(if cut { half(&whole) } else { whole })]
}

fn set(response: &mut Response<Steps>, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

const BOM: &[u8] = b"\xef\xbb\xbf";
const HUGE: usize = 2 * 1024 * 1024;
const HUGE_HEAD_FIELDS: usize = 50;
/// Lets what was written reach the other side before the connection breaks.
const PAUSE: Step = Step::Wait(Duration::from_millis(20));
