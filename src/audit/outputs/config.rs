//! What configuration says of an output.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};

use crate::base::Secret;
use crate::egress::{ObjectsConfig, Reach};
use crate::verdict::Action;

/// Somewhere that lines go to.
#[derive(Clone, Debug)]
pub struct OutputConfig {
    /// Its name: of its place in the record, in metrics and in the status.
    pub name: String,
    /// Where to.
    pub to: SinkConfig,
    /// Which lines.
    pub events: BTreeSet<EventType>,
    /// Of lines about a verdict, those with this action or a stronger one.
    pub min_action: Action,
    /// Of lines about a tenant, those about these; empty: about all.
    pub tenants: BTreeSet<String>,
    /// Lines have the redacted excerpts of what was found.
    pub excerpts: bool,
}

impl OutputConfig {
    /// Whether a line of this kind, action and tenant is wanted.
    pub(crate) fn wants(&self, kind: EventType, action: Option<Action>, tenant: &str) -> bool {
        self.events.contains(&kind)
            && action.is_none_or(|action| action >= self.min_action)
            && (tenant.is_empty() || self.tenants.is_empty() || self.tenants.contains(tenant))
    }
}

/// What a line tells of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// A finding.
    Alert,
    /// A signed checkpoint of the record: an anchor, where somebody else keeps it.
    Checkpoint,
    /// Records that are gone, and cannot be told any more.
    Gap,
    /// One direction of an exchange in which something was done, with what weighed most.
    Incident,
    /// A request that was refused before there was an exchange.
    Refused,
    /// A request and its verdict.
    Request,
    /// How an exchange ended.
    Response,
    /// Something about the appliance itself.
    System,
    /// Part of the record was given up.
    Tombstone,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Alert,
        Self::Checkpoint,
        Self::Gap,
        Self::Incident,
        Self::Refused,
        Self::Request,
        Self::Response,
        Self::System,
        Self::Tombstone,
    ];

    /// The value of `event_type`, and the name of the object beside it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Checkpoint => "checkpoint",
            Self::Gap => "gap",
            Self::Incident => "incident",
            Self::Refused => "refused",
            Self::Request => "request",
            Self::Response => "response",
            Self::System => "system",
            Self::Tombstone => "tombstone",
        }
    }
}

/// Where lines go.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// To the end of a file.
    File(PathBuf),
    /// To the program's standard output.
    Stdout,
    /// To a syslog server: RFC 5424.
    Syslog(SyslogConfig),
    /// To an address, as lines of JSON.
    Http(ReceiverConfig),
    /// To an OpenTelemetry collector, as log records: OTLP/HTTP with JSON.
    Otlp(ReceiverConfig),
    /// To a webhook, a line at a time, signed.
    Webhook {
        /// Where.
        receiver: ReceiverConfig,
        /// The key of the signatures.
        secret: WebhookSecret,
    },
    /// To an object store, a file for each delivery.
    Objects(ObjectsConfig),
}

/// A syslog server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyslogConfig {
    /// How.
    pub transport: Transport,
    /// The facility's number (RFC 5424, section 6.2.1).
    pub facility: u8,
    /// Further certificate authorities (PEM) that may have signed the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// Which addresses it may have.
    pub reach: Reach,
}

/// How syslog messages travel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transport {
    /// One datagram each: RFC 5426. What is lost on the way is lost.
    Udp(String, u16),
    /// Counted octets over TCP: RFC 6587.
    Tcp(String, u16),
    /// Counted octets over TLS: RFC 5425.
    Tls(String, u16),
    /// One datagram each to a socket of this machine, such as `/dev/log`.
    Unix(PathBuf),
}

/// An HTTP receiver.
#[derive(Clone)]
pub struct ReceiverConfig {
    /// Its address.
    pub url: Uri,
    /// Sent with every request.
    pub headers: HeaderMap,
    /// Further certificate authorities (PEM) that may have signed its certificate.
    pub ca_file: Option<PathBuf>,
    /// Which addresses it may have.
    pub reach: Reach,
}

impl fmt::Debug for ReceiverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a webhook may be what proves who sends.
        f.debug_struct("ReceiverConfig")
            .field("host", &self.url.host())
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// The shared key of a webhook's signatures, decoded.
#[derive(Clone)]
pub struct WebhookSecret(pub(crate) zeroize::Zeroizing<Vec<u8>>);

impl WebhookSecret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes, as <https://www.standardwebhooks.com> has it.
    ///
    /// # Errors
    /// A sentence that says what to write and does not repeat the secret.
    pub fn parse(written: &Secret) -> Result<Self, String> {
        use base64::Engine;
        let help = "make one with `echo whsec_$(openssl rand -base64 32)`";
        let encoded = written
            .expose()
            .strip_prefix("whsec_")
            .ok_or_else(|| format!("it does not begin with `whsec_`; {help}"))?;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(|_| format!("what follows `whsec_` is not base64; {help}"))?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(format!("it has {} bytes, and 24 to 64 are wanted; {help}", bytes.len()));
        }
        Ok(Self(bytes.into()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Syslog's facilities by name: RFC 5424, table 1, under the names of syslog.conf.
pub const FACILITIES: [(&str, u8); 16] = [
    ("user", 1),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("authpriv", 10),
    ("audit", 13),
    ("alert", 14),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
    ("kern", 0),
];
