//! `portcullis audit`: the record, read while the appliance runs or is stopped.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use http::{Method, StatusCode};

use super::{ConfigArg, Failure, admin, archive, block_on, out};
use crate::app::audit_config;
use crate::audit::{
    Anchored, AuditConfig, AuditError, AuditReader, Evidence, ExchangeRow, Filter, Inclusion, Line, Pace, PublicKey,
    Regions, Rewrapped, Shred, Signatures, SinkConfig, TrustedKey, Wanted, anchors_in, grants, own_key, verify_file,
};
use crate::base::ExchangeId;
use crate::egress::ObjectsConfig;
use crate::verdict::Action;

/// Which record.
#[derive(Args, Debug)]
pub(super) struct RecordArg {
    /// The record of this region alone; otherwise that of the tenant asked for, or of this machine's own, or of all where that
    /// makes sense
    #[arg(long)]
    region: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
}

impl RecordArg {
    /// The record of the region given, or else of the tenant's, or else of the machine's own.
    fn one(&self, tenant: Option<&str>) -> Result<AuditConfig, Failure> {
        let config = audit_config(&self.config.config()?);
        config.wanted(self.region.as_deref(), tenant).cloned().map_err(Failure::usage)
    }

    /// That of the region given, or else all.
    pub(super) fn all(&self) -> Result<Vec<AuditConfig>, Failure> {
        if self.region.is_some() {
            return Ok(vec![self.one(None)?]);
        }
        Ok(audit_config(&self.config.config()?).all().cloned().collect())
    }

    /// Where an output puts its lines, of any region.
    fn objects_of(&self, output: &str) -> Result<ObjectsConfig, Failure> {
        let config = audit_config(&self.config.config()?);
        let named = config.all().flat_map(|region| &region.outputs).find(|one| one.name == output);
        match named.map(|one| &one.to) {
            Some(SinkConfig::Objects(store)) => Ok(store.clone()),
            Some(_) => Err(Failure::usage(format!(
                "the output {output} goes to no object store; give --anchor what its receiver kept"
            ))),
            None => Err(Failure::usage(format!("the configuration has no output {output}"))),
        }
    }
}

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
        record: RecordArg,
    },
    /// One exchange in full, as JSON
    Show {
        /// The exchange's id: the reply's x-request-id, or the incident that a block named
        id: ExchangeId,
        #[command(flatten)]
        record: RecordArg,
    },
    /// Compute every hash again, check signatures, and name the first record that was changed, removed, moved or put in
    Verify {
        /// A key that may have signed checkpoints: base64, PEM, or a file that holds either. May be given several times.
        /// Without it the key of this machine
        #[arg(long, value_name = "KEY")]
        key: Vec<String>,
        /// Checkpoints that were kept elsewhere, in a file: the record must agree with each. May be given several times
        #[arg(long, value_name = "FILE")]
        anchor: Vec<PathBuf>,
        /// Checkpoints that this output of the configuration has put into its object store. May be given several times
        #[arg(long, value_name = "OUTPUT")]
        anchored: Vec<String>,
        /// Verify this file, which `audit export` wrote; neither store nor configuration is needed
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Check this file alone, which `audit prove` wrote
        #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "anchor", "anchored"], requires = "key")]
        proof: Option<PathBuf>,
        /// The file holds a part of the record: what is before its first record is not asked for
        #[arg(long, requires = "file")]
        part: bool,
        #[command(flatten)]
        record: RecordArg,
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
        record: RecordArg,
    },
    /// The newest signed checkpoint of each chain, to keep where nobody who can change the record can write
    Checkpoint {
        #[command(flatten)]
        record: RecordArg,
    },
    /// Prove that an exchange is in the record, for somebody who may not see the rest: its records, each with its way up to a
    /// signed checkpoint, as JSON
    Prove {
        /// The exchange's id
        id: ExchangeId,
        #[command(flatten)]
        record: RecordArg,
    },
    /// The public half of the key that signs this machine's checkpoints, to keep elsewhere
    Key {
        #[command(flatten)]
        record: RecordArg,
    },
    /// SQL that lets a role of PostgreSQL read what was made for review and change nothing; run it as the tables' owner
    Grants {
        /// The role; made when it is not there
        role: String,
        /// Let it read the records as well, and the encrypted texts: `audit verify` needs them
        #[arg(long)]
        records: bool,
    },
    /// What retention kept in `audit.archive`, a line of JSON for each part of a day
    Archive {
        /// Read all of it back: bytes, rows, and the records' hashes
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        record: RecordArg,
    },
    /// What is older than it is kept; with --run it is given up
    Retain {
        /// Give it up now, however many days that are
        #[arg(long)]
        run: bool,
        #[command(flatten)]
        record: RecordArg,
    },
    /// Wrap the keys of recorded texts under the first of `audit.texts.keys`, after it was changed; texts stay as they are
    Rewrap {
        #[command(flatten)]
        record: RecordArg,
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
        record: RecordArg,
    },
}

pub(super) fn run(command: &AuditCommand) -> Result<u8, Failure> {
    match command {
        AuditCommand::List { action, tenant, rule, since, until, text, limit, before, json, record } => {
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
            list(&filter, *json, record)
        }
        AuditCommand::Show { id, record } => show(*id, record),
        AuditCommand::Verify { key, proof: Some(proof), .. } => check_proof(proof, key),
        AuditCommand::Checkpoint { record } => checkpoint(record),
        AuditCommand::Prove { id, record } => prove(*id, record),
        AuditCommand::Verify { key, anchor, anchored, file, part, record, proof: None } => {
            verify(key, (anchor, anchored), (file.as_deref(), *part), record)
        }
        AuditCommand::Export { node, since, until, record } => {
            export(&Wanted { node: node.clone(), since: *since, until: *until }, record)
        }
        AuditCommand::Key { record } => key(record),
        AuditCommand::Grants { role, records } => {
            out::line(grants(role, *records).map_err(Failure::usage)?.trim_end())?;
            Ok(0)
        }
        AuditCommand::Archive { verify, record } => archive::run(*verify, record),
        AuditCommand::Retain { run, record } => retain(*run, record),
        AuditCommand::Rewrap { record } => rewrap(record),
        AuditCommand::Shred { tenant, principal, exchange, record } => {
            shred(&Shred { tenant: tenant.clone(), principal: principal.clone(), exchange: *exchange }, record)
        }
    }
}

async fn open(config: &AuditConfig) -> Result<AuditReader, Failure> {
    AuditReader::open(config).await.map_err(Failure::job)
}

fn list(filter: &Filter, json: bool, record: &RecordArg) -> Result<u8, Failure> {
    let config = record.one(filter.tenant.as_deref())?;
    let rows = block_on(async { open(&config).await?.list(filter).await.map_err(Failure::job) })??;
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
        out::part(row.principal.as_deref().unwrap_or_default(), SHOWN),
        out::part(row.model_asked.as_deref().unwrap_or_default(), SHOWN),
    )
}

fn show(id: ExchangeId, record: &RecordArg) -> Result<u8, Failure> {
    for config in record.all()? {
        let detail = block_on(async { open(&config).await?.show(id).await.map_err(Failure::job) })??;
        if let Some(detail) = detail {
            out::json(&detail)?;
            return Ok(0);
        }
    }
    Err(Failure::job(format!("the record has no exchange {id} (it may still be on its way)")))
}

fn verify(
    keys: &[String],
    (anchors, outputs): (&[PathBuf], &[String]),
    (file, is_part): (Option<&Path>, bool),
    record: &RecordArg,
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
    for name in outputs {
        let store = record.objects_of(name)?;
        evidence.anchors.extend(block_on(anchors_in(&store))?.map_err(Failure::job)?);
    }
    let reports = match file {
        Some(file) => verify_file(file, &evidence).map_err(Failure::job)?,
        None => {
            let mut reports = Vec::new();
            for config in record.all()? {
                let mut evidence = evidence.clone();
                if evidence.keys.is_empty() {
                    evidence.keys.extend(own_key(&config).map_err(Failure::job)?);
                }
                let verified = async { open(&config).await?.verify(&evidence).await.map_err(Failure::job) };
                reports.extend(block_on(verified)??);
            }
            reports
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

fn checkpoint(record: &RecordArg) -> Result<u8, Failure> {
    let mut notes = Vec::new();
    for config in record.all()? {
        notes.extend(block_on(async { open(&config).await?.checkpoints().await.map_err(Failure::job) })??);
    }
    if notes.is_empty() {
        return Err(Failure::job("there is no checkpoint yet; one comes within a minute after a record"));
    }
    out::line(notes.join("\n").trim_end())?;
    Ok(0)
}

fn prove(id: ExchangeId, record: &RecordArg) -> Result<u8, Failure> {
    for config in record.all()? {
        let proofs = block_on(async { open(&config).await?.prove(id).await.map_err(Failure::job) })??;
        if let Some(proofs) = proofs {
            out::json(&proofs)?;
            return Ok(0);
        }
    }
    Err(Failure::job(format!("the store has no exchange {id} (it may still be on its way)")))
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
pub(super) fn public_key(written: &str) -> Result<PublicKey, Failure> {
    let text = fs::read_to_string(written).unwrap_or_else(|_| written.to_owned());
    PublicKey::parse(&text).ok_or_else(|| {
        Failure::usage(format!(
            "`{written}` is no public key: write 32 bytes in base64 as `portcullis audit key` prints them, a PEM, or the file of either"
        ))
    })
}

fn export(wanted: &Wanted, record: &RecordArg) -> Result<u8, Failure> {
    let config = record.one(None)?;
    let mut to = BufWriter::new(std::io::stdout().lock());
    let written = block_on(async {
        let mut reader = open(&config).await?;
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

fn key(record: &RecordArg) -> Result<u8, Failure> {
    let config = record.one(None)?;
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

fn retain(run: bool, record: &RecordArg) -> Result<u8, Failure> {
    if run {
        return give_up(record);
    }
    let mut due = Vec::new();
    for config in record.all()? {
        due.extend(block_on(async { open(&config).await?.due(&config.retention).await.map_err(Failure::job) })??);
    }
    out::json(&due)?;
    Ok(0)
}

fn rewrap(record: &RecordArg) -> Result<u8, Failure> {
    let mut all = Rewrapped::default();
    for config in record.all()? {
        let done = block_on(async { open(&config).await?.rewrap().await.map_err(Failure::job) })??;
        all.rewrapped += done.rewrapped;
        for (key, texts) in done.left {
            *all.left.entry(key).or_default() += texts;
        }
    }
    out::json(&all)?;
    Ok(0)
}

fn shred(whose: &Shred, record: &RecordArg) -> Result<u8, Failure> {
    let body = serde_json::to_value(whose).map_err(Failure::job)?;
    let texts = match ask_appliance(&record.config, "/api/v1/texts/shred", Some(body))? {
        Some(answer) => answer["texts"].clone(),
        None => with_record(record, async |audit| audit.shred(whose, CLOSE).await)?.into(),
    };
    out::json(&serde_json::json!({ "texts": texts }))?;
    Ok(0)
}

fn give_up(record: &RecordArg) -> Result<u8, Failure> {
    if let Some(answer) = ask_appliance(&record.config, "/api/v1/retention/run", None)? {
        out::json(&answer["given_up"])?;
        return Ok(0);
    }
    out::json(&with_record(record, async |audit| audit.retain(Pace::All).await)?)?;
    Ok(0)
}

/// Lets the running appliance do it, for only one process may write the chain; `None`: none runs.
fn ask_appliance(
    config: &ConfigArg,
    path: &str,
    body: Option<serde_json::Value>,
) -> Result<Option<serde_json::Value>, Failure> {
    let asked = admin::ask(&admin::appliance(config)?, Method::POST, path, body)?;
    let Some((status, answer)) = asked else { return Ok(None) };
    if status != StatusCode::OK {
        return Err(Failure::job(
            answer.get("error").and_then(|error| error.as_str()).unwrap_or("the appliance refused"),
        ));
    }
    Ok(Some(answer))
}

/// Does it here, as the one process that writes the chains of all regions.
fn with_record<T>(record: &RecordArg, work: impl AsyncFnOnce(&Regions) -> Result<T, AuditError>) -> Result<T, Failure> {
    let config = audit_config(&record.config.config()?);
    block_on(async {
        let audit = Regions::open(config).await.map_err(Failure::job)?;
        let done = work(&audit).await;
        audit.close(CLOSE).await;
        done.map_err(Failure::job)
    })?
}

fn action(text: &str) -> Result<Action, String> {
    let known = Action::ALL.map(Action::name).join(", ");
    Action::ALL.into_iter().find(|action| action.name() == text).ok_or_else(|| format!("use one of: {known}"))
}

/// Characters of a principal or a model that a line shows.
const SHOWN: usize = 60;
/// Longest that the store may take at the end.
const CLOSE: Duration = Duration::from_secs(60);
