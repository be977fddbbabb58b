//! `portcullis rules reload`, `rollback` and `versions`: the policy of the running appliance, and the way back.

use clap::Args;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{OfflineError, kept_policies, rollback_offline};
use crate::cli::{ConfigArg, Failure, admin, out};

#[derive(Args, Debug)]
pub(crate) struct ReloadArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    /// The version to go back to; without it the one before that in force
    version: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct VersionsArgs {
    /// As a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What `reload` says where nobody can.
const NOT_RUNNING: &str = "no appliance runs with this configuration; `portcullis run` reads the files when it starts";

pub(super) fn reload(args: &ReloadArgs) -> Result<u8, Failure> {
    // What is wrong with the files is the appliance's to say: here they are read for where it is.
    let appliance = admin::appliance(&args.config)?;
    match admin::ask(&appliance, Method::POST, "/api/v1/policy/reload", None)? {
        Some((status, attempt)) => tell(status, &attempt, args.json),
        None => Err(Failure::job(NOT_RUNNING)),
    }
}

pub(super) fn rollback(args: &RollbackArgs) -> Result<u8, Failure> {
    let appliance = admin::appliance(&args.config)?;
    let body = args.version.as_ref().map(|version| json!({ "version": version }));
    if let Some((status, attempt)) = admin::ask(&appliance, Method::POST, "/api/v1/policy/rollback", body)? {
        return tell(status, &attempt, args.json);
    }
    let admin::Appliance { source, state, limits, .. } = appliance;
    let done = rollback_offline(state, limits, &source, args.version.as_deref()).map_err(|error| match error {
        OfflineError::Refused(_) => Failure::usage(error),
        OfflineError::Runs | OfflineError::State(_) => Failure::job(error),
    })?;
    if args.json {
        out::json(&json!({ "result": "at_next_start", "version": done.version, "rules": done.rules }))?;
        return Ok(0);
    }
    out::line(format!("policy {} ({} rules) will be in force after the next start", done.version, done.rules))?;
    Ok(0)
}

pub(super) fn versions(args: &VersionsArgs) -> Result<u8, Failure> {
    let state = admin::appliance(&args.config)?.state;
    let (kept, pinned) = kept_policies(&state)
        .map_err(|error| Failure::job(format!("the list in {} cannot be read: {error}", state.display())))?;
    if args.json {
        out::json(&kept)?;
        return Ok(0);
    }
    for policy in &kept {
        let mark = match (policy.in_force, policy.previous) {
            (true, _) if pinned => "in force, pinned",
            (true, _) => "in force",
            (false, true) => "previous",
            (false, false) => "",
        };
        let at = policy.at.strftime("%Y-%m-%dT%H:%M:%SZ");
        out::line(format!("{}  {at}  {:>6} rules  {:<8}  {mark}", policy.version, policy.rules, policy.origin.name()))?;
    }
    Ok(0)
}

/// Tells what became of a wish. Problems in the files are bad configuration, as they are at the start.
fn tell(status: StatusCode, attempt: &Value, json: bool) -> Result<u8, Failure> {
    let said = |key: &str| attempt[key].as_str().unwrap_or_default();
    if json {
        out::json(attempt)?;
    }
    match said("result") {
        "in_force" | "unchanged" if json => Ok(0),
        "in_force" => {
            out::line(format!("policy {} is in force, after {} ms", said("version"), attempt["took_ms"]))?;
            Ok(0)
        }
        "unchanged" => {
            out::line(format!("policy {} was in force already", said("version")))?;
            Ok(0)
        }
        "needs_restart" => {
            let keys: Vec<&str> =
                attempt["needs_restart"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let message = format!("nothing was changed; needs a restart: {}", keys.join(", "));
            Err(Failure::job(message))
        }
        "refused" => {
            let problems = attempt["problems"].as_array().into_iter().flatten();
            let mut text: String =
                problems.filter_map(|problem| problem["text"].as_str()).map(|text| format!("error {text}")).collect();
            text.push_str(&format!(
                "{} problem(s); nothing was changed, policy {} stays in force",
                attempt["problem_count"],
                said("version")
            ));
            Err(Failure::usage(text))
        }
        _ => Err(Failure::job(format!("the admin port answered {status}: {}", said("error")))),
    }
}
