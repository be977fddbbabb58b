//! `portcullis audit`: the record, read while the appliance runs or is stopped.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use http::{Method, StatusCode};

use super::{ConfigArg, Failure, admin, block_on, out};
use crate::app::audit_config;
use crate::audit::{
    Anchored, Audit, AuditReader, Evidence, ExchangeRow, Filter, Inclusion, Line, Pace, PublicKey, Shred, Signatures,
    TrustedKey, Wanted, grants, own_key, verify_file,
};
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
        /// Only exchanges whose recorded text, of the tenant given, has all of these words: needs `audit.texts.search_key`
        #[arg(long, value_name = "WORDS", requires = "tenant")]
        text: Option<String>,
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
    /// Compute every hash again, check signatures, and name the first record that was changed, removed, moved or put in
    Verify {
        /// A key that may have signed checkpoints: base64, PEM, or a file that holds either. May be given several times.
        /// Without it the key of this machine
        #[arg(long, value_name = "KEY")]
        key: Vec<String>,
        /// Checkpoints that were kept elsewhere: the record must agree with each. May be given several times
        #[arg(long, value_name = "FILE")]
        anchor: Vec<PathBuf>,
        /// Verify this file, which `audit export` wrote; neither store nor configuration is needed
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Check this file alone, which `audit prove` wrote
        #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "anchor"], requires = "key")]
        proof: Option<PathBuf>,
        /// The file holds a part of the record: what is before its first record is not asked for
        #[arg(long, requires = "file")]
        part: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Write the record as JSON lines, for safe keeping or for somebody else to verify
    Export {
        /// Only this chain
        #[arg(long)]
        node: Option<String>,
        /// Taken on this day (UTC) or later
        #[arg(long, value_name = "DAY")]
        since: Option<jiff::civil::Date>,
        /// Taken before this day
        #[arg(long, value_name = "DAY")]
        until: Option<jiff::civil::Date>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// The newest signed checkpoint of each chain, to keep where nobody who can change the record can write
    Checkpoint {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Prove that an exchange is in the record, for somebody who may not see the rest: its records, each with its way up to a
    /// signed checkpoint, as JSON
    Prove {
        /// The exchange's id
        id: ExchangeId,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// The public half of the key that signs this machine's checkpoints, to keep elsewhere
    Key {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// SQL that lets a role of PostgreSQL read what was made for review and change nothing; run it as the tables' owner
    Grants {
        /// The role; made when it is not there
        role: String,
        /// Let it read the records as well, and the encrypted texts: `audit verify` needs them
        #[arg(long)]
        records: bool,
    },
    /// What is older than it is kept; with --run it is given up
    Retain {
        /// Give it up now, however many days that are
        #[arg(long)]
        run: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Wrap the keys of recorded texts under the first of `audit.texts.keys`, after it was changed; texts stay as they are
    Rewrap {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Destroy recorded texts for good: their keys are forgotten. The records stay and can be verified
    Shred {
        /// Of this tenant
        #[arg(long)]
        tenant: String,
        /// Only of this caller
        #[arg(long)]
        principal: Option<String>,
        /// Only of this exchange
        #[arg(long)]
        exchange: Option<ExchangeId>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub(super) fn run(command: &AuditCommand) -> Result<u8, Failure> {
    match command {
        AuditCommand::List { action, tenant, rule, since, until, text, limit, before, json, config } => {
            let filter = Filter {
                since: *since,
                until: *until,
                action: *action,
                tenant: tenant.clone(),
                rule: rule.clone(),
                text: text.clone(),
                limit: Some(*limit),
                before: *before,
            };
            list(&filter, *json, config)
        }
        AuditCommand::Show { id, config } => show(*id, config),
        AuditCommand::Verify { key, proof: Some(proof), .. } => check_proof(proof, key),
        AuditCommand::Checkpoint { config } => checkpoint(config),
        AuditCommand::Prove { id, config } => prove(*id, config),
        AuditCommand::Verify { key, anchor, file, part, config, proof: None } => {
            verify(key, anchor, (file.as_deref(), *part), config)
        }
        AuditCommand::Export { node, since, until, config } => {
            export(&Wanted { node: node.clone(), since: *since, until: *until }, config)
        }
        AuditCommand::Key { config } => key(config),
        AuditCommand::Grants { role, records } => {
            out::line(grants(role, *records).map_err(Failure::usage)?.trim_end())?;
            Ok(0)
        }
        AuditCommand::Retain { run, config } => retain(*run, config),
        AuditCommand::Rewrap { config } => rewrap(config),
        AuditCommand::Shred { tenant, principal, exchange, config } => {
            shred(&Shred { tenant: tenant.clone(), principal: principal.clone(), exchange: *exchange }, config)
        }
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

fn verify(
    keys: &[String],
    anchors: &[PathBuf],
    (file, is_part): (Option<&Path>, bool),
    config: &ConfigArg,
) -> Result<u8, Failure> {
    let mut evidence = Evidence { is_part, ..Evidence::default() };
    for key in keys {
        evidence.keys.push(public_key(key)?.into());
    }
    for path in anchors {
        let wrong = |why: String| Failure::usage(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        evidence.anchors.extend(Anchored::parse_all(&text).map_err(wrong)?);
    }
    let reports = match file {
        Some(file) => verify_file(file, &evidence).map_err(Failure::job)?,
        None => {
            let config = audit_config(&config.config()?);
            if evidence.keys.is_empty() {
                evidence.keys.extend(own_key(&config).map_err(Failure::job)?);
            }
            block_on(async {
                AuditReader::open(&config).await.map_err(Failure::job)?.verify(&evidence).await.map_err(Failure::job)
            })??
        }
    };
    if reports.iter().any(|report| report.signatures == Signatures::Unchecked) {
        out::error(
            "not every chain's signatures were checked: give --key, as `portcullis audit key` prints it on the machine that wrote the record",
        );
    }
    let broken = reports.iter().any(|report| report.broken.is_some());
    out::json(&reports)?;
    Ok(u8::from(broken))
}

fn checkpoint(config: &ConfigArg) -> Result<u8, Failure> {
    let notes = block_on(async { reader(config).await?.checkpoints().await.map_err(Failure::job) })??;
    if notes.is_empty() {
        return Err(Failure::job("there is no checkpoint yet; one comes within a minute after a record"));
    }
    out::line(notes.join("\n").trim_end())?;
    Ok(0)
}

fn prove(id: ExchangeId, config: &ConfigArg) -> Result<u8, Failure> {
    let proofs = block_on(async { reader(config).await?.prove(id).await.map_err(Failure::job) })??;
    out::json(
        &proofs.ok_or_else(|| Failure::job(format!("the store has no exchange {id} (it may still be on its way)")))?,
    )?;
    Ok(0)
}

fn check_proof(file: &Path, keys: &[String]) -> Result<u8, Failure> {
    let wrong = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let keys: Vec<PublicKey> = keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>()?;
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let proofs: Vec<Inclusion> = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("{error}; write it with `portcullis audit prove`")))?;
    if proofs.is_empty() {
        return Err(wrong("it proves nothing: it is empty".to_owned()));
    }
    for (number, proof) in proofs.iter().enumerate() {
        let record = proof.check(&keys).map_err(|why| Failure::job(format!("proof {}: {why}", number + 1)))?;
        out::line(format!("record {} of {}: proved", record.seq, record.node))?;
    }
    Ok(0)
}

/// A key as it is written, or in a file.
fn public_key(written: &str) -> Result<PublicKey, Failure> {
    let text = fs::read_to_string(written).unwrap_or_else(|_| written.to_owned());
    PublicKey::parse(&text).ok_or_else(|| {
        Failure::usage(format!(
            "`{written}` is no public key: write 32 bytes in base64 as `portcullis audit key` prints them, a PEM, or the file of either"
        ))
    })
}

fn export(wanted: &Wanted, config: &ConfigArg) -> Result<u8, Failure> {
    let mut to = BufWriter::new(std::io::stdout().lock());
    let written = block_on(async {
        let mut reader = reader(config).await?;
        let each = |line: &Line| {
            serde_json::to_writer(&mut to, line)?;
            to.write_all(b"\n")
        };
        reader.export(wanted, each).await.map_err(Failure::job)
    })??;
    to.flush()?;
    if written == 0 {
        return Err(Failure::job("nothing of the record is of that chain and those days"));
    }
    Ok(0)
}

fn key(config: &ConfigArg) -> Result<u8, Failure> {
    let config = audit_config(&config.config()?);
    match own_key(&config).map_err(Failure::job)? {
        Some(TrustedKey { key, .. }) => out::line(key.to_string())?,
        None => {
            return Err(Failure::job(
                "there is no key yet: start the appliance once, or name one as `audit.signing_key`",
            ));
        }
    }
    Ok(0)
}

fn retain(run: bool, config: &ConfigArg) -> Result<u8, Failure> {
    if run {
        return give_up(config);
    }
    let retention = audit_config(&config.config()?).retention;
    let due = block_on(async { reader(config).await?.due(&retention).await.map_err(Failure::job) })??;
    out::json(&due)?;
    Ok(0)
}

fn rewrap(config: &ConfigArg) -> Result<u8, Failure> {
    let done = block_on(async { reader(config).await?.rewrap().await.map_err(Failure::job) })??;
    out::json(&done)?;
    Ok(0)
}

fn shred(whose: &Shred, config: &ConfigArg) -> Result<u8, Failure> {
    let body = serde_json::to_value(whose).map_err(Failure::job)?;
    let texts = match ask_appliance(config, "/api/v1/texts/shred", Some(body))? {
        Some(answer) => answer["texts"].clone(),
        None => {
            let config = audit_config(&config.config()?);
            let texts = block_on(async {
                let audit = Audit::open(config).await.map_err(Failure::job)?;
                let done = audit.shred(whose, CLOSE).await;
                audit.close(CLOSE).await;
                done.map_err(Failure::job)
            })??;
            texts.into()
        }
    };
    out::json(&serde_json::json!({ "texts": texts }))?;
    Ok(0)
}

/// Lets the running appliance do it, for only one process may write the chain; `None`: none runs.
fn ask_appliance(config: &ConfigArg, path: &str, body: Option<serde_json::Value>) -> Result<Option<serde_json::Value>, Failure> {
    let asked = admin::ask(&admin::appliance(config)?, Method::POST, path, body)?;
    let Some((status, answer)) = asked else { return Ok(None) };
    if status != StatusCode::OK {
        return Err(Failure::job(answer.get("error").and_then(|error| error.as_str()).unwrap_or("the appliance refused")));
    }
    Ok(Some(answer))
}

fn give_up(config: &ConfigArg) -> Result<u8, Failure> {
    if let Some(answer) = ask_appliance(config, "/api/v1/retention/run", None)? {
        out::json(&answer["given_up"])?;
        return Ok(0);
    }
    let config = audit_config(&config.config()?);
    let given_up = block_on(async {
        let audit = Audit::open(config).await.map_err(Failure::job)?;
        let done = audit.retain(Pace::All).await;
        audit.close(CLOSE).await;
        done.map_err(Failure::job)
    })??;
    out::json(&given_up)?;
    Ok(0)
}

fn action(text: &str) -> Result<Action, String> {
    let known = Action::ALL.map(Action::name).join(", ");
    Action::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| format!("use one of: {known}"))
}

/// Longest that the store may take at the end.
const CLOSE: Duration = Duration::from_secs(60);
