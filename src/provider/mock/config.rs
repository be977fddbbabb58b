//! How the mock behaves: its settings as a whole and, for one request, those that the request itself carries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The mock's settings. All may be left out.
///
/// One request may override them with a JSON object of the same fields, in the header `mock-control` or, where a firewall
/// stands in between, in a user message between `[[mock ` and `]]`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockConfig {
    /// The text that is answered; `None` says what the mock is and what it received.
    pub reply: Option<String>,
    /// Bytes of text in one streamed delta (at least one character).
    pub chunk_bytes: usize,
    /// Byte offsets at which the streamed text is split instead of every `chunk_bytes`; moved down to a character's start.
    pub split_at: Vec<usize>,
    /// Time before the reply's head, in milliseconds.
    pub head_delay_ms: u64,
    /// Time before each streamed event after the first, in milliseconds.
    pub chunk_delay_ms: u64,
    /// What goes wrong.
    pub fault: Option<MockFault>,
    /// A tool call that is answered instead of text.
    pub tool_call: Option<MockToolCall>,
    /// The models that are listed.
    pub models: Vec<String>,
    /// How many requests are kept for [`super::MockHandle::seen`].
    pub keep_seen: usize,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            reply: None,
            chunk_bytes: 16,
            split_at: Vec::new(),
            head_delay_ms: 0,
            chunk_delay_ms: 0,
            fault: None,
            tool_call: None,
            models: vec!["demo".to_owned()],
            keep_seen: 0,
        }
    }
}

/// A tool call to answer with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MockToolCall {
    /// The function's name.
    pub name: String,
    /// Its arguments, as the text that a model would write.
    pub arguments: String,
}

/// What goes wrong. Written as its name in kebab case; an error status as `status:503`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "String", try_from = "String")]
pub enum MockFault {
    /// A byte order mark before the body.
    Bom,
    /// A coding that was not asked for and cannot be undone (`Content-Encoding: br`).
    Brotli,
    /// Another charset in the content type.
    Charset,
    /// Another content type (`text/html`).
    ContentType,
    /// Server-sent events with CRLF line ends, comments and other fields: unusual, and allowed.
    Crlf,
    /// The connection breaks in the middle of the body.
    Cut,
    /// A key stands twice in an object.
    DuplicateKeys,
    /// A body that is not JSON.
    Garbage,
    /// The reply comes as gzip, unasked.
    Gzip,
    /// A gzip body that breaks off.
    GzipCut,
    /// No answer at all.
    Hang,
    /// A head over any limit.
    HugeHead,
    /// One event of two megabytes.
    HugeEvent,
    /// Bytes that are not UTF-8 inside a string.
    InvalidUtf8,
    /// Half of a surrogate pair inside a string.
    LoneSurrogate,
    /// A stream that ends without `[DONE]`.
    NoDone,
    /// A redirect to somewhere else.
    Redirect,
    /// The connection breaks before the head.
    Reset,
    /// Silence in the middle of the body.
    Silence,
    /// The body comes byte by byte.
    SlowDrip,
    /// An error status with an error body as OpenAI writes it.
    Status(u16),
    /// Trailers after the body, hop-by-hop and private fields before it.
    Trailers,
}

impl MockFault {
    /// All faults but the statuses.
    pub const ALL: [Self; 21] = [
        Self::Bom,
        Self::Brotli,
        Self::Charset,
        Self::ContentType,
        Self::Crlf,
        Self::Cut,
        Self::DuplicateKeys,
        Self::Garbage,
        Self::Gzip,
        Self::GzipCut,
        Self::Hang,
        Self::HugeEvent,
        Self::HugeHead,
        Self::InvalidUtf8,
        Self::LoneSurrogate,
        Self::NoDone,
        Self::Redirect,
        Self::Reset,
        Self::Silence,
        Self::SlowDrip,
        Self::Trailers,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Bom => "bom",
            Self::Brotli => "brotli",
            Self::Charset => "charset",
            Self::ContentType => "content-type",
            Self::Crlf => "crlf",
            Self::Cut => "cut",
            Self::DuplicateKeys => "duplicate-keys",
            Self::Garbage => "garbage",
            Self::Gzip => "gzip",
            Self::GzipCut => "gzip-cut",
            Self::Hang => "hang",
            Self::HugeEvent => "huge-event",
            Self::HugeHead => "huge-head",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::LoneSurrogate => "lone-surrogate",
            Self::NoDone => "no-done",
            Self::Redirect => "redirect",
            Self::Reset => "reset",
            Self::Silence => "silence",
            Self::SlowDrip => "slow-drip",
            Self::Status(_) => "status",
            Self::Trailers => "trailers",
        }
    }
}

impl fmt::Display for MockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Status(status) => write!(f, ":{status}"),
            _ => Ok(()),
        }
    }
}

impl From<MockFault> for String {
    fn from(fault: MockFault) -> Self {
        fault.to_string()
    }
}

impl FromStr for MockFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(status) = text.strip_prefix("status:") {
            return match status.parse() {
                Ok(status @ 400..=599) => Ok(Self::Status(status)),
                _ => Err(format!("status {status:?} is no error status; write status:N with N from 400 to 599")),
            };
        }
        Self::ALL.into_iter().find(|fault| fault.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.into_iter().map(Self::name).collect();
            format!("unknown fault {text:?}; one of {}, status:N", names.join(", "))
        })
    }
}

impl TryFrom<String> for MockFault {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl MockConfig {
    /// These settings with those that a request carries put over them; a request that carries nonsense is told so.
    pub(super) fn with_control(&self, control: &str) -> Result<Self, String> {
        let over: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(control).map_err(|error| format!("mock control {control:?}: {error}"))?;
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(fields) = whole.as_object_mut() {
            fields.extend(over);
        }
        serde_json::from_value(whole).map_err(|error| format!("mock control {control:?}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_they_are_read() {
        for fault in MockFault::ALL.into_iter().chain([MockFault::Status(503)]) {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        assert!("status:200".parse::<MockFault>().unwrap_err().contains("400 to 599"));
        assert!("nonsense".parse::<MockFault>().unwrap_err().contains("slow-drip"));
    }

    #[test]
    fn a_control_overrides_what_it_names() {
        let base = MockConfig { reply: Some("a".to_owned()), ..MockConfig::default() };
        let with = base.with_control(r#"{"fault":"status:429","chunk_bytes":3}"#).unwrap();
        assert_eq!(with, MockConfig { fault: Some(MockFault::Status(429)), chunk_bytes: 3, ..base.clone() });
        assert!(base.with_control(r#"{"nonsense":1}"#).is_err());
        assert!(base.with_control("[]").is_err());
    }
}
