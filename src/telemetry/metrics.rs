//! Every metric by name, described once. Labels are bounded sets (causes, actions, stages), never values of the caller's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

pub use metrics_exporter_prometheus::PrometheusHandle;

const EXCHANGES: &str = "portcullis_exchanges_total";
const VERDICTS: &str = "portcullis_verdicts_total";
const FINDINGS: &str = "portcullis_findings_total";
const FAULTS: &str = "portcullis_faults_total";
const THROTTLES: &str = "portcullis_throttles_total";
const WAIVERS: &str = "portcullis_waivers_total";
const SHADOW: &str = "portcullis_shadow_texts_total";
const SHADOW_DROPPED: &str = "portcullis_shadow_dropped_total";
const STAGE: &str = "portcullis_stage_seconds";
const TOKENS: &str = "portcullis_tokens_total";
const IN_FLIGHT: &str = "portcullis_exchanges_in_flight";
const MODEL_QUEUE: &str = "portcullis_model_queue_windows";
const SPOOL_BYTES: &str = "portcullis_audit_spool_bytes";
const SPOOL_PENDING: &str = "portcullis_audit_pending_events";
const STORE_UP: &str = "portcullis_audit_store_up";
const OUTPUT_UP: &str = "portcullis_audit_output_up";
const OUTPUT_PENDING: &str = "portcullis_audit_output_pending_events";
const OUTPUT_LINES: &str = "portcullis_audit_output_lines_total";
const OUTPUT_REFUSED: &str = "portcullis_audit_output_refused_total";
const OUTPUT_GONE: &str = "portcullis_audit_output_gone_events_total";
const POLICY_CHANGES: &str = "portcullis_policy_changes_total";
const POLICY_OK: &str = "portcullis_policy_last_change_ok";
const POLICY_SINCE: &str = "portcullis_policy_since_seconds";
const POLICY_PINNED: &str = "portcullis_policy_pinned";
const POLICY_LIVE: &str = "portcullis_policies_live";
const POLICY_INFO: &str = "portcullis_policy_info";
const BUILD: &str = "portcullis_build_info";

/// Upper bounds of the stage histogram, in seconds: from 20 µs (a rule scan) to 2 minutes (a long answer).
const STAGE_BUCKETS: [f64; 16] =
    [0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// Installs the recorder for this process and describes every metric.
///
/// # Errors
/// When a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(STAGE.to_owned()), &STAGE_BUCKETS)?
        .install_recorder()?;
    describe_counter!(EXCHANGES, "Exchanges ended, by outcome");
    describe_counter!(VERDICTS, "Verdicts taken, by direction and action");
    describe_counter!(FINDINGS, "Findings, by rule id or model label, and whether they act");
    describe_counter!(FAULTS, "Faults, by cause and the action that policy took");
    describe_counter!(THROTTLES, "Times that a rule slowed somebody down, by the throttle's name");
    describe_counter!(SHADOW, "Texts that a model in shadow judged too, by what the scores of both ask for");
    describe_counter!(SHADOW_DROPPED, "Texts that the model in shadow was not asked about, by why");
    describe_counter!(WAIVERS, "Content passed unseen under a written waiver, by kind");
    describe_histogram!(STAGE, metrics::Unit::Seconds, "Time of each stage of an exchange");
    describe_counter!(TOKENS, "Tokens reported by providers, by kind");
    describe_gauge!(IN_FLIGHT, "Exchanges being worked on");
    describe_gauge!(MODEL_QUEUE, "Windows waiting for the classifier");
    describe_gauge!(SPOOL_BYTES, metrics::Unit::Bytes, "Size of the audit spool on disk");
    describe_gauge!(SPOOL_PENDING, "Audit events not yet in the store");
    describe_gauge!(STORE_UP, "1 when the audit store took the last batch");
    describe_gauge!(OUTPUT_UP, "1 when the output took the last lines");
    describe_gauge!(OUTPUT_PENDING, "Audit events that the output was not told yet");
    describe_counter!(OUTPUT_LINES, "Lines that the output took");
    describe_counter!(OUTPUT_REFUSED, "Lines that the output refused for what they say; they are left out");
    describe_counter!(OUTPUT_GONE, "Audit events that were given up before the output was told");
    describe_counter!(POLICY_CHANGES, "Attempts to change the policy, by who asked and what became of it");
    describe_gauge!(POLICY_OK, "1 when the last attempt to change the policy went well, or none was made");
    describe_gauge!(POLICY_SINCE, metrics::Unit::Seconds, "When the policy in force came into force, in Unix time");
    describe_gauge!(POLICY_PINNED, "1 when somebody went back to an earlier policy, which stays");
    describe_gauge!(POLICY_LIVE, "Policies in memory: the one in force and those that open exchanges began with");
    gauge!(POLICY_OK).set(1.0);
    describe_gauge!(BUILD, "1, with the version as a label");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// An exchange ended.
pub fn exchange(outcome: &'static str) {
    ENDED.fetch_add(1, Ordering::Relaxed);
    BLOCKED.fetch_add(u64::from(outcome == "blocked"), Ordering::Relaxed);
    counter!(EXCHANGES, "outcome" => outcome).increment(1);
}

/// How many exchanges ended, and how many of them were blocked: a counter cannot be read back.
pub fn ended() -> (u64, u64) {
    (ENDED.load(Ordering::Relaxed), BLOCKED.load(Ordering::Relaxed))
}

static ENDED: AtomicU64 = AtomicU64::new(0);
static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// A verdict was taken.
pub fn verdict(direction: &'static str, action: &'static str) {
    counter!(VERDICTS, "direction" => direction, "action" => action).increment(1);
}

/// A finding was made; `source` is a rule id or a model label, both bounded by the policy in force; `standing` says whether it
/// acts.
pub fn finding(source: String, standing: &'static str) {
    counter!(FINDINGS, "source" => source, "standing" => standing).increment(1);
}

/// A fault happened and policy took `action`.
pub fn fault(cause: &'static str, action: &'static str) {
    counter!(FAULTS, "cause" => cause, "action" => action).increment(1);
}

/// A rule slowed somebody down; the names are those of the policy.
pub fn throttle(name: String) {
    counter!(THROTTLES, "throttle" => name).increment(1);
}

/// A model in shadow judged a text that the present one judged.
pub fn shadow(from: &'static str, to: &'static str) {
    counter!(SHADOW, "from" => from, "to" => to).increment(1);
}

/// A model in shadow was not asked about texts.
pub fn shadow_dropped(why: &'static str, texts: u64) {
    counter!(SHADOW_DROPPED, "why" => why).increment(texts);
}

/// Something passed unseen because a written policy says so.
pub fn waiver(kind: &'static str) {
    counter!(WAIVERS, "kind" => kind).increment(1);
}

/// A stage took this long.
pub fn stage(stage: &'static str, took: Duration) {
    histogram!(STAGE, "stage" => stage).record(took.as_secs_f64());
}

/// Tokens that a provider reported; `kind` is `prompt` or `completion`.
pub fn tokens(kind: &'static str, count: u64) {
    counter!(TOKENS, "kind" => kind).increment(count);
}

/// Exchanges being worked on now.
pub fn in_flight(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; the count is bounded by limits.exchanges")]
    gauge!(IN_FLIGHT).set(count as f64);
}

/// State of the queues, set when metrics are read.
pub fn queues(model_windows: usize, spool_bytes: u64, pending_events: u64, store_up: bool) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    {
        gauge!(MODEL_QUEUE).set(model_windows as f64);
        gauge!(SPOOL_BYTES).set(spool_bytes as f64);
        gauge!(SPOOL_PENDING).set(pending_events as f64);
    }
    gauge!(STORE_UP).set(if store_up { 1.0 } else { 0.0 });
}

/// State of an output, set when metrics are read; the names are those of the configuration.
pub fn output(name: String, up: bool, pending: u64, (lines, refused, gone): (u64, u64, u64)) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    gauge!(OUTPUT_PENDING, "output" => name.clone()).set(pending as f64);
    gauge!(OUTPUT_UP, "output" => name.clone()).set(if up { 1.0 } else { 0.0 });
    counter!(OUTPUT_LINES, "output" => name.clone()).absolute(lines);
    counter!(OUTPUT_REFUSED, "output" => name.clone()).absolute(refused);
    counter!(OUTPUT_GONE, "output" => name).absolute(gone);
}

/// Somebody asked for another policy.
pub fn policy_change(origin: &'static str, result: &'static str, is_well: bool) {
    counter!(POLICY_CHANGES, "origin" => origin, "result" => result).increment(1);
    gauge!(POLICY_OK).set(if is_well { 1.0 } else { 0.0 });
}

/// The policy in force.
pub fn policy(since_seconds: i64, pinned: bool, live: usize) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    {
        gauge!(POLICY_SINCE).set(since_seconds as f64);
        gauge!(POLICY_LIVE).set(live as f64);
    }
    gauge!(POLICY_PINNED).set(if pinned { 1.0 } else { 0.0 });
}

/// The lines of the metrics page that name the version in force. They are made when the page is read: a label of the
/// recorder's stays for ever, and there would be one more with each reload.
pub fn policy_info(version: &str, rules_version: &str) -> String {
    format!(
        "# HELP {POLICY_INFO} 1, with the version of the policy in force\n# TYPE {POLICY_INFO} gauge\n\
         {POLICY_INFO}{{version=\"{version}\",rules=\"{rules_version}\"}} 1\n"
    )
}
