//! `portcullis audit`: the record, read while the appliance runs or is stopped.

use clap::Subcommand;

use super::{ConfigArg, Failure, block_on, out};
use crate::app::audit_config;
use crate::audit::{AuditReader, ExchangeRow, Filter};
use crate::base::ExchangeId;
use crate::verdict::Action;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Exchanges, newest first
    List {
        /// Only these verdicts
        #[arg(long, value_parser = action)]
        action: Option<Action>,
        /// Only this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Only exchanges with a finding of this rule or model label
        #[arg(long)]
        rule: Option<String>,
        /// At or after this time (RFC 3339)
        #[arg(long)]
        since: Option<jiff::Timestamp>,
        /// Before this time (RFC 3339)
        #[arg(long)]
        until: Option<jiff::Timestamp>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Older than this exchange: the last one of the page before
        #[arg(long, value_name = "EXCHANGE")]
        before: Option<ExchangeId>,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// One exchange in full, as JSON
    Show {
        /// The exchange's id: the reply's x-request-id, or the incident that a block named
        id: ExchangeId,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Recompute the hash chain and name the first record that was changed, removed or moved
    Verify {
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub(super) fn run(command: &AuditCommand) -> Result<u8, Failure> {
    match command {
        AuditCommand::List { action, tenant, rule, since, until, limit, before, json, config } => {
            let filter = Filter {
                since: *since,
                until: *until,
                action: *action,
                tenant: tenant.clone(),
                rule: rule.clone(),
                limit: Some(*limit),
                before: *before,
            };
            list(&filter, *json, config)
        }
        AuditCommand::Show { id, config } => show(*id, config),
        AuditCommand::Verify { config } => verify(config),
    }
}

async fn reader(config: &ConfigArg) -> Result<AuditReader, Failure> {
    let config = config.config()?;
    AuditReader::open(&audit_config(&config)).await.map_err(Failure::job)
}

fn list(filter: &Filter, json: bool, config: &ConfigArg) -> Result<u8, Failure> {
    let rows = block_on(async { reader(config).await?.list(filter).await.map_err(Failure::job) })??;
    if json {
        out::json(&rows)?;
        return Ok(0);
    }
    out::line(format!(
        "{:<24} {:<36} {:<7} {:<11} {:>3} {:<20} {}",
        "time", "exchange", "verdict", "outcome", "", "principal", "model"
    ))?;
    for row in &rows {
        out::line(line(row))?;
    }
    Ok(0)
}

fn line(row: &ExchangeRow) -> String {
    let started = row.started_at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    format!(
        "{:<24} {:<36} {:<7} {:<11} {:>3} {:<20} {}",
        started.unwrap_or_default(),
        row.exchange_id,
        row.action().name(),
        row.outcome.as_deref().unwrap_or("open"),
        row.status.map(|status| status.to_string()).unwrap_or_default(),
        visible(row.principal.as_deref().unwrap_or_default()),
        visible(row.model_asked.as_deref().unwrap_or_default()),
    )
}

/// A caller's text for a terminal: nothing in it may drive it.
fn visible(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn show(id: ExchangeId, config: &ConfigArg) -> Result<u8, Failure> {
    let detail = block_on(async { reader(config).await?.show(id).await.map_err(Failure::job) })??;
    match detail {
        Some(detail) => out::json(&detail)?,
        None => return Err(Failure::job(format!("the record has no exchange {id} (it may still be on its way)"))),
    }
    Ok(0)
}

fn verify(config: &ConfigArg) -> Result<u8, Failure> {
    let reports = block_on(async { reader(config).await?.verify().await.map_err(Failure::job) })??;
    let broken = reports.iter().any(|report| report.broken.is_some());
    out::json(&reports)?;
    Ok(u8::from(broken))
}

fn action(text: &str) -> Result<Action, String> {
    let known = Action::ALL.map(Action::name).join(", ");
    Action::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| format!("use one of: {known}"))
}
