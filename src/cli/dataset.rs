//! `portcullis dataset`: sets of labelled texts out of the record.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::audit::public_key;
use super::{ConfigArg, Failure, block_on, out};
use crate::app::{audit_config, rules_in_force, snapshot, today};
use crate::audit::{AuditReader, PublicKey, SigningKey};
use crate::config::Config;
use crate::inspect::Snapshot;
use crate::review::datasets::{
    Built, DatasetsConfig, Describe, EVAL, Gathered, Gatherer, Label, Listed, Manifest, Name, QUARANTINE, RowId,
    Sample, Shelf, TRAIN, Terms, Version, Window, assemble,
};

#[derive(Debug, Subcommand)]
pub(super) enum DatasetCommand {
    /// Make a version of a set out of reviewed incidents and labelled samples
    Build(BuildArgs),
    /// The versions of a set, or of all
    List {
        /// Only this set
        name: Option<Name>,
        /// As a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Texts that passed, chosen at random, as JSON lines for somebody to label; `build --samples` takes them back
    Sample {
        /// How many
        #[arg(long, default_value_t = 100)]
        count: usize,
        /// Chooses which: the same number chooses the same texts of the same record. Otherwise by chance
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        window: WindowArg,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Read versions back and hold them against their manifests and signatures
    Verify {
        /// The set
        name: Name,
        /// The version; without it all
        version: Option<Version>,
        /// A key that may have signed frozen versions: base64, PEM, or a file that holds either. May be given several times
        #[arg(long, value_name = "KEY")]
        key: Vec<String>,
        /// Ask the record as well: name the rows whose texts were destroyed since (`audit shred`)
        #[arg(long)]
        record: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Copy a version's files into a folder, checked: train/data.py reads them as they are
    Get {
        /// The set
        name: Name,
        /// The version
        version: Version,
        /// Where to; it is made when it is not there
        folder: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Sign a version: it judges models from now on, and is not removed by the way
    Freeze {
        /// The set
        name: Name,
        /// The version
        version: Version,
        /// The key (Ed25519) that signs; `openssl genpkey -algorithm ed25519` makes one
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Remove a version
    Remove {
        /// The set
        name: Name,
        /// The version
        version: Version,
        /// Though it is frozen
        #[arg(long)]
        frozen: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

#[derive(Args, Debug)]
pub(super) struct BuildArgs {
    /// The set: small letters, digits, hyphens
    name: Name,
    /// What `dataset sample` wrote, labels filled in. May be given several times
    #[arg(long, value_name = "FILE")]
    samples: Vec<PathBuf>,
    /// A row in quarantine that somebody has looked at: it counts from now on. May be given several times
    #[arg(long, value_name = "ID")]
    accept: Vec<RowId>,
    /// Only say what would be built
    #[arg(long)]
    dry_run: bool,
    /// The manifest, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    window: WindowArg,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct WindowArg {
    /// Only what happened at or after this time (RFC 3339)
    #[arg(long)]
    since: Option<Timestamp>,
    /// Only what happened before this time (RFC 3339)
    #[arg(long)]
    until: Option<Timestamp>,
}

impl From<WindowArg> for Window {
    fn from(arg: WindowArg) -> Self {
        Self { since: arg.since, until: arg.until }
    }
}

pub(super) fn run(command: &DatasetCommand) -> Result<u8, Failure> {
    match command {
        DatasetCommand::Build(args) => build(args),
        DatasetCommand::List { name, json, config } => list(name.as_ref(), *json, &shelf(&config.config()?)?),
        DatasetCommand::Sample { count, seed, window, config } => {
            sample(&config.config()?, (*window).into(), *count, *seed)
        }
        DatasetCommand::Verify { name, version, key, record, config } => {
            let keys = key.iter().map(|key| public_key(key)).collect::<Result<Vec<_>, _>>()?;
            verify(&config.config()?, (name, *version), &keys, *record)
        }
        DatasetCommand::Get { name, version, folder, config } => {
            get(&shelf(&config.config()?)?, (name, *version), folder)
        }
        DatasetCommand::Freeze { name, version, key, config } => {
            let shelf = shelf(&config.config()?)?;
            let key = SigningKey::read(key).map_err(Failure::usage)?;
            let frozen = block_on(shelf.freeze(name, *version, &key, Timestamp::now()))?.map_err(Failure::job)?;
            out::line(format!(
                "{name} {version} is frozen: manifest {}, key {}",
                frozen.manifest_sha256,
                key.public()
            ))?;
            Ok(0)
        }
        DatasetCommand::Remove { name, version, frozen, config } => {
            let shelf = shelf(&config.config()?)?;
            block_on(shelf.remove(name, *version, *frozen))?.map_err(Failure::job)?;
            out::line(format!("{name} {version} is removed"))?;
            Ok(0)
        }
    }
}

fn settings(config: &Config) -> Result<&DatasetsConfig, Failure> {
    let none = "there are no data sets: the configuration has no section `datasets` (docs/datasets.md)";
    config.datasets.as_ref().ok_or_else(|| Failure::usage(none))
}

fn shelf(config: &Config) -> Result<Shelf, Failure> {
    Shelf::open(&settings(config)?.store).map_err(Failure::usage)
}

/// The rules and the policy, which redact and doubt. A family that is to be redacted has rules.
fn policy(config: &Config) -> Result<Arc<Snapshot>, Failure> {
    let scanner = rules_in_force(config).map_err(Failure::usage)?;
    for family in &settings(config)?.redact {
        if !scanner.rules().iter().any(|(_, rule)| rule.family == *family) {
            let name = family.name();
            return Err(Failure::usage(format!(
                "datasets.redact names `{name}`, and no rule of that family is in force: nothing would be taken out\nadd rules/{name} to rules.folders"
            )));
        }
    }
    Ok(Arc::new(snapshot(&config.policy, scanner, &Arc::new(config.limits.clone()))))
}

fn build(args: &BuildArgs) -> Result<u8, Failure> {
    let config = args.config.config()?;
    let terms = settings(&config)?;
    let policy = policy(&config)?;
    let samples = args.samples.iter().map(|path| labelled(path)).collect::<Result<Vec<_>, _>>()?.concat();
    let shelf = shelf(&config)?;
    let now = Timestamp::now();
    let work = async {
        let versions = shelf.list(Some(&args.name)).await.map_err(Failure::job)?;
        let (past, mut accepted) = shelf.past(&versions).await.map_err(Failure::job)?;
        accepted.extend(&args.accept);
        let accepted: BTreeSet<RowId> = accepted.into_iter().collect();
        let mut reader = AuditReader::open(&audit_config(&config).home).await.map_err(Failure::job)?;
        let mut gatherer = Gatherer { reader: &mut reader, snapshot: &policy, config: terms, today: today() };
        let mut gathered = Gathered::default();
        gatherer.incidents(args.window.into(), &mut gathered).await.map_err(Failure::job)?;
        gatherer.labelled(&samples, &mut gathered).await.map_err(Failure::job)?;
        let unknown: Vec<String> =
            args.accept.iter().filter(|id| !gathered.has(**id)).map(ToString::to_string).collect();
        if !unknown.is_empty() {
            return Err(Failure::usage(format!("--accept: no candidate has the id {}", unknown.join(", "))));
        }
        let built = assemble(gathered, terms, &past, &accepted, now);
        let describe = Describe {
            name: &args.name,
            terms: told(terms, &policy),
            window: args.window.into(),
            accepted: accepted.into_iter().collect(),
            now,
        };
        if built.train.is_empty() && built.eval.is_empty() && built.quarantine.is_empty() {
            explain_nothing(&built);
            return Err(Failure::job("there is nothing to make a set of"));
        }
        if args.dry_run {
            return Ok(Some(describe.describe(&built, &versions).map_err(Failure::job)?.0));
        }
        shelf.put(&describe, &built, &versions).await.map_err(Failure::job)
    };
    let Some(manifest) = block_on(work)?? else {
        out::error(&format!("{}: nothing has changed since the latest version; nothing was written", args.name));
        return Ok(0);
    };
    if args.json {
        out::json(&manifest)?;
    } else {
        show(&manifest)?;
        let done = if args.dry_run { "would be written to" } else { "is in" };
        out::line(format!("{} {} {done} {}", manifest.name, manifest.version, shelf.place()))?;
    }
    Ok(0)
}

/// An empty set says why; most often nobody has reviewed anything yet.
fn explain_nothing(built: &Built) {
    if built.dropped.is_empty() {
        out::error(
            "no incident of a tenant under datasets.tenants has a disposition; `dataset sample` gives texts to label",
        );
    }
    for (reason, count) in &built.dropped {
        out::error(&format!("not taken: {count} {reason}"));
    }
}

fn told(terms: &DatasetsConfig, policy: &Snapshot) -> Terms {
    Terms {
        consent: terms.consent.clone(),
        redact: terms.redact.iter().map(|family| family.name().to_owned()).collect(),
        per_principal: terms.per_principal,
        quarantine_days: terms.quarantine_days,
        eval_percent: terms.eval_percent,
        policy_version: policy.version.clone(),
    }
}

/// Samples that somebody has labelled. One without a label is nothing yet.
fn labelled(path: &Path) -> Result<Vec<(RowId, Label)>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let mut samples = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |why: String| Failure::usage(format!("{}:{number}: {why}", path.display()));
        let sample: Sample = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if sample.label.is_empty() {
            continue;
        }
        let label = Label::parse(&sample.label)
            .ok_or_else(|| wrong(format!("label `{}` is none; write benign, injection or extraction", sample.label)))?;
        samples.push((sample.id, label));
    }
    if samples.is_empty() {
        return Err(Failure::usage(format!("{}: no row has a label", path.display())));
    }
    Ok(samples)
}

fn show(manifest: &Manifest) -> Result<(), Failure> {
    for (name, what) in [(TRAIN, "train"), (EVAL, "eval"), (QUARANTINE, "quarantine")] {
        let Some(file) = manifest.file(name) else { continue };
        let labels: Vec<String> = file.labels.iter().map(|(label, count)| format!("{label} {count}")).collect();
        out::line(format!("{what:<12}{:>8}  {}", file.rows, labels.join(", ")).trim_end())?;
    }
    for (what, counts) in [("quarantined", &manifest.quarantined), ("not taken", &manifest.dropped)] {
        for (reason, count) in counts {
            out::line(format!("{what}: {count} {reason}"))?;
        }
    }
    Ok(())
}

fn list(name: Option<&Name>, json: bool, shelf: &Shelf) -> Result<u8, Failure> {
    let all = block_on(shelf.list(name))?.map_err(Failure::job)?;
    if json {
        out::json(&all)?;
        return Ok(0);
    }
    if all.is_empty() {
        out::error(&format!("no set is in {}; `portcullis dataset build NAME` makes one", shelf.place()));
    }
    for Listed { manifest, frozen } in &all {
        let rows = |name: &str| manifest.file(name).map_or(0, |file| file.rows);
        let line = format!(
            "{} {}  {} train, {} eval, {} in quarantine{}",
            manifest.name,
            manifest.version,
            rows(TRAIN),
            rows(EVAL),
            rows(QUARANTINE),
            if *frozen { "  frozen" } else { "" }
        );
        out::line(line)?;
    }
    Ok(0)
}

fn sample(config: &Config, window: Window, count: usize, seed: Option<u64>) -> Result<u8, Failure> {
    let (terms, policy) = (settings(config)?, policy(config)?);
    let by_chance = || {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)
            .map_err(|error| Failure::job(format!("the system gives no random numbers: {error}")))?;
        Ok::<_, Failure>(u64::from_le_bytes(bytes))
    };
    let seed = seed.map_or_else(by_chance, Ok)?;
    let work = async {
        let mut reader = AuditReader::open(&audit_config(config).home).await.map_err(Failure::job)?;
        let mut gatherer = Gatherer { reader: &mut reader, snapshot: &policy, config: terms, today: today() };
        gatherer.sample(window, count, seed).await.map_err(Failure::job)
    };
    let samples = block_on(work)??;
    for sample in &samples {
        out::json_line(sample)?;
    }
    if samples.is_empty() {
        out::error(
            "no text that passed is recorded in full, of a tenant under datasets.tenants (policy.record.text: full)",
        );
    }
    Ok(0)
}

fn verify(
    config: &Config,
    (name, version): (&Name, Option<Version>),
    keys: &[PublicKey],
    record: bool,
) -> Result<u8, Failure> {
    let (shelf, terms) = (shelf(config)?, settings(config)?);
    let policy = if record { Some(policy(config)?) } else { None };
    let work = async {
        let versions = match version {
            Some(version) => vec![version],
            None => {
                shelf.list(Some(name)).await.map_err(Failure::job)?.iter().map(|one| one.manifest.version).collect()
            }
        };
        let mut is_well = true;
        for version in versions {
            let said = match one(&shelf, (name, version), keys).await {
                Ok(said) => said,
                Err(why) => {
                    is_well = false;
                    out::line(format!("{name} {version}: NOT WELL: {why}"))?;
                    continue;
                }
            };
            out::line(format!("{name} {version}: {said}"))?;
            let Some(policy) = &policy else { continue };
            let mut reader = AuditReader::open(&audit_config(config).home).await.map_err(Failure::job)?;
            let mut gatherer = Gatherer { reader: &mut reader, snapshot: policy, config: terms, today: today() };
            let manifest = shelf.manifest(name, version).await.map_err(Failure::job)?.0;
            let mut ids = BTreeSet::new();
            for file in &manifest.files {
                ids.extend(shelf.rows(&manifest, &file.name).await.map_err(Failure::job)?.iter().map(|row| row.id));
            }
            let shredded = gatherer.shredded(&ids.into_iter().collect::<Vec<_>>()).await.map_err(Failure::job)?;
            for id in &shredded {
                out::line(format!("{name} {version}: {id} was destroyed in the record, and is here"))?;
            }
            is_well &= shredded.is_empty();
        }
        Ok::<_, Failure>(u8::from(!is_well))
    };
    block_on(work)?
}

async fn one(shelf: &Shelf, (name, version): (&Name, Version), keys: &[PublicKey]) -> Result<String, String> {
    let (manifest, _) = shelf.whole(name, version).await.map_err(|error| error.to_string())?;
    let rows = manifest.rows();
    if keys.is_empty() {
        return Ok(format!("{rows} rows are as its manifest says"));
    }
    let frozen = shelf.frozen(name, version, keys).await.map_err(|error| error.to_string())?;
    Ok(match frozen {
        Some(frozen) => format!("{rows} rows are as its manifest says; frozen {}, signature holds", frozen.frozen_at),
        None => format!("{rows} rows are as its manifest says; not frozen"),
    })
}

fn get(shelf: &Shelf, (name, version): (&Name, Version), folder: &Path) -> Result<u8, Failure> {
    let files = block_on(shelf.copies(name, version))?.map_err(Failure::job)?;
    fs::create_dir_all(folder).map_err(|error| Failure::job(format!("{}: {error}", folder.display())))?;
    for (name, bytes) in &files {
        let path = folder.join(name);
        // People's words are in it.
        let opened = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| Failure::job(format!("{}: {error}", path.display())))?;
    }
    out::line(format!("{name} {version} is in {}", folder.display()))?;
    Ok(0)
}
