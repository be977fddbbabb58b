//! The events of the record, as plain values. They know no policy and no wire format; they serialise to the JSON that is
//! spooled, hashed and stored. Fields may be added; a change of meaning raises [`SCHEMA_VERSION`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::proof::{Seal, Tombstone};
use super::texts::FullText;
use crate::base::{Blame, Cause, ExchangeId, Fault, FaultAction, Span};
use crate::text::{Role, Trust};
use crate::verdict::{Action, Finding, Layer, Severity, Source, Standing, Verdict};

/// The version of every record's shape.
pub const SCHEMA_VERSION: u32 = 4;

/// One event of the record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// An exchange was judged and is about to be forwarded or blocked.
    Begin(Box<Begin>),
    /// An exchange ended.
    End(Box<End>),
    /// A request was refused before there was an exchange to forward.
    Refused(Box<Refused>),
    /// A signed checkpoint of the chain.
    Seal(Box<Seal>),
    /// Something about the appliance itself.
    System(System),
    /// Part of the record was given up.
    Tombstone(Box<Tombstone>),
}

/// A request and its verdict, recorded before its first byte is forwarded.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Begin {
    /// The exchange.
    pub exchange: ExchangeId,
    /// When the request arrived.
    pub at: Timestamp,
    /// The tenant.
    pub tenant: String,
    /// Who calls.
    pub principal: String,
    /// The client key's public id; `None`: pass-through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The client's address.
    pub client_addr: String,
    /// The wire dialect, for example `openai`.
    pub dialect: String,
    /// The route's name.
    pub route: String,
    /// The HTTP method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The model that the client named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_asked: Option<String>,
    /// Whether a streamed reply was asked for.
    pub stream: bool,
    /// The policy snapshot that judges this exchange.
    pub policy_version: String,
    /// The request's verdict.
    pub request: VerdictRecord,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Microseconds by stage, up to this event.
    #[serde(default)]
    pub latency_us: BTreeMap<String, u64>,
    /// The request's passages in full; only where full text is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_text: Option<FullText>,
    /// What the record's size limit cost this event.
    #[serde(default, skip_serializing_if = "Cut::is_nothing")]
    pub cut: Cut,
}

/// How an exchange ended. Make one with [`End::new`]; [`super::Slot::end`] fills `exchange` and `tenant`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct End {
    /// The exchange; filled by the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeId>,
    /// When it ended.
    pub at: Timestamp,
    /// The tenant; filled by the slot.
    #[serde(default)]
    pub tenant: String,
    /// Who called; filled by the slot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// How.
    pub outcome: Outcome,
    /// The status that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider that answered or was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The provider's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_status: Option<u16>,
    /// The reply's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<VerdictRecord>,
    /// Tokens of the prompt, as the provider counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Tokens of the reply, as the provider counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
    /// What it cost, in billionths of a US dollar, by `providers[].prices`; `None`: no price, or no count of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nusd: Option<u64>,
    /// Bytes of the reply's body sent to the client.
    pub reply_bytes: u64,
    /// Microseconds by stage, from the start of the exchange.
    #[serde(default)]
    pub latency_us: BTreeMap<String, u64>,
    /// What went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultRecord>,
    /// The reply's text in full; only where full text is opted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_text: Option<FullText>,
    /// What the record's size limit cost this event.
    #[serde(default, skip_serializing_if = "Cut::is_nothing")]
    pub cut: Cut,
}

impl End {
    /// An end at the present time of which nothing more is known.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            exchange: None,
            at: Timestamp::now(),
            tenant: String::new(),
            principal: String::new(),
            outcome,
            status: None,
            provider: None,
            model: None,
            upstream_status: None,
            reply: None,
            prompt_tokens: None,
            completion_tokens: None,
            cost_nusd: None,
            reply_bytes: 0,
            latency_us: BTreeMap::new(),
            fault: None,
            reply_text: None,
            cut: Cut::default(),
        }
    }
}

/// A request refused before there was an exchange to forward: bad key, no such route, unparsable body …
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Refused {
    /// The id that the client was told.
    pub exchange: ExchangeId,
    /// When.
    pub at: Timestamp,
    /// The tenant; empty when nobody was authenticated.
    #[serde(default)]
    pub tenant: String,
    /// Who called; empty when nobody was authenticated.
    #[serde(default)]
    pub principal: String,
    /// The client key's public id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The client's address.
    pub client_addr: String,
    /// The wire dialect, where the route was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The status that the client got.
    pub status: u16,
    /// Bytes of the body that were read.
    pub request_bytes: u64,
    /// The policy snapshot.
    pub policy_version: String,
    /// Why.
    pub fault: FaultRecord,
    /// Microseconds by stage.
    #[serde(default)]
    pub latency_us: BTreeMap<String, u64>,
    /// What the record's size limit cost this event.
    #[serde(default, skip_serializing_if = "Cut::is_nothing")]
    pub cut: Cut,
}

/// Something about the appliance itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct System {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(rename = "what")]
    pub kind: SystemKind,
    /// For people.
    pub detail: String,
}

impl System {
    /// An event at the present time.
    pub fn new(kind: SystemKind, detail: impl Into<String>) -> Self {
        Self { at: Timestamp::now(), kind, detail: detail.into() }
    }
}

/// What happened to the appliance.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemKind {
    /// A record in the spool could not be read; its bytes are in quarantine.
    Corrupt,
    /// Exchanges left open by a crash were closed, or a torn record was cut.
    Recovered,
    /// The policy was reloaded, or a reload was refused.
    Reload,
    /// The appliance started.
    Start,
    /// The appliance stops in good order.
    Stop,
    /// An administrator changed something.
    Admin,
    /// Recorded texts were destroyed.
    Shred,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Request or reply was blocked by a verdict.
    Blocked,
    /// The client went away first.
    ClientGone,
    /// The reply was delivered whole.
    Completed,
    /// A fault ended it; see `fault`.
    Failed,
    /// Portcullis died or dropped it in the middle.
    Interrupted,
    /// Refused before there was an exchange to forward.
    Refused,
}

impl Outcome {
    /// The name used in the stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::ClientGone => "client_gone",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
        }
    }
}

/// A verdict over one direction of an exchange.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct VerdictRecord {
    /// What was done.
    pub action: Action,
    /// The highest anomaly score of any passage.
    pub score: u32,
    /// What was found.
    #[serde(default)]
    pub findings: Vec<FindingRecord>,
    /// Faults met on the way and what policy did about each.
    #[serde(default)]
    pub faults: Vec<Decision>,
    /// What could not be seen and policy waived or refused.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// The model that judged; `None`: rules only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
}

impl From<&Verdict> for VerdictRecord {
    fn from(verdict: &Verdict) -> Self {
        Self {
            action: verdict.action,
            score: verdict.score,
            findings: verdict.findings.iter().map(FindingRecord::from).collect(),
            ..Self::default()
        }
    }
}

/// A fault and what the written policy did about it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Decision {
    /// What went wrong.
    pub cause: Cause,
    /// What policy did.
    pub action: FaultAction,
}

/// Content that cannot be seen, by its kind's name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Waiver {
    /// For example `image_url`.
    pub kind: String,
    /// Where it was found (JSON Pointer).
    pub place: String,
    /// True: policy let it pass unseen. False: it was refused.
    pub passed: bool,
}

/// Which judge speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The classifier.
    Model,
    /// A rule.
    Rule,
}

/// One finding.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FindingRecord {
    /// Rule or model.
    pub judge: Judge,
    /// The rule's id or the model's label.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Points added to its passage's score.
    pub points: u32,
    /// The action that the judge demanded by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// `acts`, or what kept it from acting: `allowed`, `excepted`, `executing`, `shadow`.
    #[serde(default = "acts", skip_serializing_if = "is_acts")]
    pub standing: String,
    /// The rule that allowed it, or the exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_by: Option<String>,
    /// The action that it would have demanded, had it acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Action>,
    /// The model's probability of an attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The passage's place (JSON Pointer).
    pub place: String,
    /// Who spoke.
    pub role: Role,
    /// How far that role is trusted.
    pub trust: Trust,
    /// The reading that matched: `raw`, `canonical`, or the encodings undone, joined by `+`, outermost first.
    pub layer: String,
    /// Bytes of the passage's original text.
    pub span: Span,
    /// What was matched, redacted.
    pub excerpt: String,
    /// OWASP LLM Top 10, MITRE ATLAS, CWE.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl From<&Finding> for FindingRecord {
    fn from(finding: &Finding) -> Self {
        let (judge, id) = match &finding.source {
            Source::Model { label } => (Judge::Model, label.clone()),
            Source::Rule { id } => (Judge::Rule, id.clone()),
        };
        let layer = match &finding.layer {
            Layer::Canonical => "canonical".to_owned(),
            Layer::Decoded(encodings) => encodings.join("+"),
            Layer::Raw => "raw".to_owned(),
        };
        Self {
            judge,
            id,
            title: finding.title.clone(),
            severity: finding.severity,
            points: finding.points,
            action: finding.action,
            standing: finding.standing.name().to_owned(),
            standing_by: finding.standing.by().map(str::to_owned),
            would: finding.would,
            score: finding.score,
            place: finding.place.clone(),
            role: finding.role,
            trust: finding.trust,
            layer,
            span: finding.span,
            excerpt: finding.excerpt.clone(),
            tags: finding.tags.clone(),
        }
    }
}

fn acts() -> String {
    Standing::Acts.name().to_owned()
}

fn is_acts(standing: &str) -> bool {
    standing == Standing::Acts.name()
}

/// A fault as recorded: the log's sentence, never shown to the client by the record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FaultRecord {
    /// What went wrong.
    pub cause: Cause,
    /// Whose fault.
    pub blame: Blame,
    /// For people.
    pub detail: String,
}

impl From<&Fault> for FaultRecord {
    fn from(fault: &Fault) -> Self {
        Self { cause: fault.cause, blame: fault.blame, detail: fault.detail.clone() }
    }
}

/// One passage in full; only where full text is opted in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PassageText {
    /// Who spoke.
    pub role: Role,
    /// Where (JSON Pointer).
    pub place: String,
    /// The text.
    pub text: String,
}

/// What a record's size limit cost it. Nothing is cut silently.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Cut {
    /// Findings, waivers, faults and latency stages left out.
    #[serde(default)]
    pub items: u64,
    /// Strings that were shortened.
    #[serde(default)]
    pub strings: u64,
    /// Bytes of opted-in text left out.
    #[serde(default)]
    pub text_bytes: u64,
}

impl Cut {
    /// True when the event is whole.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
