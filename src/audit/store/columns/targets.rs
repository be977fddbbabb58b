//! Every table, column by column.

use super::{Kind, Present, Target, col};

pub(in crate::audit) const CHAIN: Target = Target {
    table: "audit_chain",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("node", Kind::Text),
        col("seq", Kind::Int),
        col("class", Kind::Text),
        col("hash", Kind::Hash),
    ],
};

pub(in crate::audit) const EVENT: Target = Target {
    table: "audit_event",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("node", Kind::Text),
        col("seq", Kind::Int),
        col("region", Kind::Text),
        col("tenant", Kind::Text),
        col("at", Kind::Time("at_us")),
        col("kind", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("prev_hash", Kind::Hash),
        col("hash", Kind::Hash),
        col("body", Kind::Text),
    ],
};

pub(in crate::audit) const BEGIN: Target = Target {
    table: "exchange",
    present: Present::Fill("begin_seq"),
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("node", Kind::Text),
        col("region", Kind::Text),
        col("tenant", Kind::Text),
        col("principal", Kind::Text),
        col("key_id", Kind::Text),
        col("client_addr", Kind::Text),
        col("dialect", Kind::Text),
        col("route", Kind::Text),
        col("method", Kind::Text),
        col("path", Kind::Text),
        col("model_asked", Kind::Text),
        col("stream", Kind::Bool),
        col("policy_version", Kind::Text),
        col("started_at", Kind::Time("started_us")),
        col("begin_seq", Kind::Int),
        col("request_action", Kind::Text),
        col("request_score", Kind::Int),
        col("request_bytes", Kind::Int),
        col("begin_latency_us", Kind::Json),
    ],
};

pub(in crate::audit) const END: Target = Target {
    table: "exchange",
    present: Present::Fill("end_seq"),
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("node", Kind::Text),
        col("region", Kind::Text),
        col("tenant", Kind::Text),
        col("ended_at", Kind::Time("ended_us")),
        col("end_seq", Kind::Int),
        col("outcome", Kind::Text),
        col("status", Kind::Int),
        col("provider", Kind::Text),
        col("model", Kind::Text),
        col("upstream_status", Kind::Int),
        col("reply_action", Kind::Text),
        col("reply_score", Kind::Int),
        col("prompt_tokens", Kind::Int),
        col("completion_tokens", Kind::Int),
        col("cost_nusd", Kind::Int),
        col("reply_bytes", Kind::Int),
        col("fault_cause", Kind::Text),
        col("fault_blame", Kind::Text),
        col("fault_detail", Kind::Text),
        col("latency_us", Kind::Json),
    ],
};

pub(in crate::audit) const VERDICT: Target = Target {
    table: "verdict",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("direction", Kind::Text),
        col("node", Kind::Text),
        col("tenant", Kind::Text),
        col("at", Kind::Time("at_us")),
        col("action", Kind::Text),
        col("score", Kind::Int),
        col("findings", Kind::Int),
        col("model_version", Kind::Text),
        col("faults", Kind::Json),
        col("waivers", Kind::Json),
    ],
};

pub(in crate::audit) const FINDING: Target = Target {
    table: "finding",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("direction", Kind::Text),
        col("number", Kind::Int),
        col("node", Kind::Text),
        col("tenant", Kind::Text),
        col("at", Kind::Time("at_us")),
        col("judge", Kind::Text),
        col("judge_id", Kind::Text),
        col("title", Kind::Text),
        col("severity", Kind::Text),
        col("points", Kind::Int),
        col("action", Kind::Text),
        col("standing", Kind::Text),
        col("standing_by", Kind::Text),
        col("would", Kind::Text),
        col("score", Kind::Real),
        col("role", Kind::Text),
        col("trust", Kind::Text),
        col("place", Kind::Text),
        col("layer", Kind::Text),
        col("span_start", Kind::Int),
        col("span_end", Kind::Int),
        col("excerpt", Kind::Text),
        col("tags", Kind::Json),
    ],
};

pub(in crate::audit) const INCIDENT: Target = Target {
    table: "incident",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("direction", Kind::Text),
        col("node", Kind::Text),
        col("tenant", Kind::Text),
        col("principal", Kind::Text),
        col("at", Kind::Time("at_us")),
        col("action", Kind::Text),
        col("severity", Kind::Text),
        col("score", Kind::Int),
        col("title", Kind::Text),
        col("judge_ids", Kind::Json),
        col("excerpt", Kind::Text),
        col("fingerprint", Kind::Text),
        col("model_version", Kind::Text),
    ],
};

/// What reviewers wrote into an incident; read, and written by them alone.
pub(in crate::audit) const REVIEWED: Target = Target {
    table: "incident",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("node", Kind::Text),
        col("region", Kind::Text),
        col("tenant", Kind::Text),
        col("disposition", Kind::Text),
        col("assignee", Kind::Text),
        col("notes", Kind::Int),
        col("reviewed_at", Kind::Time("reviewed_us")),
    ],
};

pub(in crate::audit) const REVIEW: Target = Target {
    table: "review",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("direction", Kind::Text),
        col("at", Kind::Time("at_us")),
        col("author", Kind::Text),
        col("what", Kind::Text),
        col("before", Kind::Text),
        col("after", Kind::Text),
        col("note", Kind::Text),
    ],
};

pub(in crate::audit) const TRAFFIC: Target = Target {
    table: "traffic",
    present: Present::Add(6),
    columns: &[
        col("step", Kind::Int),
        col("at", Kind::Time("at_us")),
        col("node", Kind::Text),
        col("tenant", Kind::Text),
        col("provider", Kind::Text),
        col("model", Kind::Text),
        col("requests", Kind::Int),
        col("blocked", Kind::Int),
        col("failed", Kind::Int),
        col("interrupted", Kind::Int),
        col("client_gone", Kind::Int),
        col("refused", Kind::Int),
        col("flagged", Kind::Int),
        col("redacted", Kind::Int),
        col("routed", Kind::Int),
        col("throttled", Kind::Int),
        col("prompt_tokens", Kind::Int),
        col("completion_tokens", Kind::Int),
        col("uncounted", Kind::Int),
        col("cost_nusd", Kind::Int),
        col("unpriced", Kind::Int),
    ],
};

pub(in crate::audit) const LATENCY: Target = Target {
    table: "stage_latency",
    present: Present::Add(6),
    columns: &[
        col("step", Kind::Int),
        col("at", Kind::Time("at_us")),
        col("node", Kind::Text),
        col("stage", Kind::Text),
        col("provider", Kind::Text),
        col("bucket", Kind::Int),
        col("n", Kind::Int),
    ],
};

pub(in crate::audit) const HITS: Target = Target {
    table: "judge_hits",
    present: Present::Add(5),
    columns: &[
        col("at", Kind::Time("at_us")),
        col("node", Kind::Text),
        col("tenant", Kind::Text),
        col("judge", Kind::Text),
        col("judge_id", Kind::Text),
        col("title", Kind::Text),
        col("severity", Kind::Text),
        col("acted", Kind::Int),
        col("blocked", Kind::Int),
        col("shadow", Kind::Int),
        col("held", Kind::Int),
    ],
};

pub(in crate::audit) const PRINCIPAL: Target = Target {
    table: "principal_day",
    present: Present::Add(5),
    columns: &[
        col("day", Kind::Day),
        col("tenant", Kind::Text),
        col("principal", Kind::Text),
        col("node", Kind::Text),
        col("class", Kind::Text),
        col("requests", Kind::Int),
        col("blocked", Kind::Int),
        col("stopped", Kind::Int),
        col("refused", Kind::Int),
        col("prompt_tokens", Kind::Int),
        col("completion_tokens", Kind::Int),
        col("cost_nusd", Kind::Int),
        col("first_at", Kind::Time("first_us")),
        col("last_at", Kind::Time("last_us")),
    ],
};

pub(in crate::audit) const TEXT: Target = Target {
    table: "passage_text",
    present: Present::Keep,
    columns: &[
        col("day", Kind::Day),
        col("class", Kind::Text),
        col("exchange_id", Kind::Uuid),
        col("direction", Kind::Text),
        col("tenant", Kind::Text),
        col("key_id", Kind::Text),
        col("wrapped", Kind::Bytes),
        col("ciphertext", Kind::Bytes),
        col("terms", Kind::Ints),
    ],
};
