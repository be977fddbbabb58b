//! `portcullis models`: what models there are, whether they are what they should be, and which is to serve.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::audit::public_key;
use super::{ConfigArg, Failure, admin, block_on, out};
use crate::app::{classifier_config, model_cache, model_folder};
use crate::audit::SigningKey;
use crate::classify::Classifier;
use crate::config::{Config, ModelSource, ModelVersion};
use crate::model::registry::{Basis, Figures, Gate, Pushed, Registry};
use crate::review::datasets::{self, EVAL, Name, Row, Shelf};
use crate::review::gate;

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// The model that the configuration names; of a store every version, and what was promoted
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Check files, format and golden scores of the configured model
    Verify {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Put a model's folder into the store under `model.store`, once its golden inputs give their scores
    Push {
        /// The folder: manifest.json, model, tokenizer, golden inputs
        folder: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Sign that a version is to serve, if it is no worse on a frozen set than the one that serves now
    Promote(PromoteArgs),
    /// What the model in shadow would have changed, as the running appliance has counted
    Shadow {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Sign that the version before is to serve again
    Rollback {
        /// The key (Ed25519) that signs; its public half stands under model.trusted_keys
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
}

#[derive(Args, Debug)]
pub(super) struct PromoteArgs {
    /// The version
    version: String,
    /// The frozen set that judges
    #[arg(long, value_name = "NAME")]
    set: Name,
    /// Its version
    #[arg(long, value_name = "VERSION")]
    set_version: datasets::Version,
    /// A key that must have signed the set: base64, PEM, or a file that holds either. May be given several times
    #[arg(long, value_name = "KEY", required = true)]
    set_key: Vec<String>,
    /// By how much each figure may be worse
    #[arg(long, default_value_t = 0.01, value_parser = tolerance)]
    tolerance: f64,
    /// Nothing was promoted yet: there is no model to be held against
    #[arg(long)]
    first: bool,
    /// The key (Ed25519) that signs; its public half stands under model.trusted_keys
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let read = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
    read.ok_or_else(|| "write a number from 0 to 1".to_owned())
}

pub(super) fn run(command: &ModelsCommand) -> Result<u8, Failure> {
    match command {
        ModelsCommand::List { json, config } => list(*json, &config.config()?),
        ModelsCommand::Verify { config } => {
            let config = config.config()?;
            let folder = block_on(model_folder(&config.model.source, &model_cache(&config.state), &config.limits))?
                .map_err(Failure::job)?;
            let classifier =
                Classifier::load(&folder, &classifier_config(&config), &config.limits).map_err(Failure::job)?;
            out::line(format!("{}: files, format and golden scores are as recorded", classifier.version()))?;
            Ok(0)
        }
        ModelsCommand::Push { folder, config } => push(folder, &config.config()?),
        ModelsCommand::Promote(args) => promote(args),
        ModelsCommand::Shadow { json, config } => shadow(*json, config),
        ModelsCommand::Rollback { key, config } => rollback(key, &config.config()?),
    }
}

/// The store of models, the model's name, and which version serves.
fn registry(config: &Config) -> Result<(Registry, &str, &ModelVersion), Failure> {
    let ModelSource::Store { store, name, which } = &config.model.source else {
        return Err(Failure::usage("the model is a folder; name a store as `model.store` (docs/models.md)"));
    };
    Ok((Registry::open(store, &config.limits).map_err(Failure::usage)?, name, which))
}

fn list(json: bool, config: &Config) -> Result<u8, Failure> {
    if let ModelSource::Folder(folder) = &config.model.source {
        let manifest = crate::model::Manifest::read(folder, &config.limits).map_err(Failure::job)?;
        if json {
            out::json(&[&manifest])?;
        } else {
            out::line(format!("{} {} ({})", manifest.name, manifest.version, folder.display()))?;
        }
        return Ok(0);
    }
    let (registry, name, which) = registry(config)?;
    let work = async {
        let versions = registry.versions(name).await?;
        let promotions = match which {
            ModelVersion::Pinned(_) => Vec::new(),
            ModelVersion::Promoted(trusted) => registry.promotions(name, trusted).await?,
        };
        Ok::<_, crate::model::registry::RegistryError>((versions, promotions))
    };
    let (versions, promotions) = block_on(work)?.map_err(Failure::job)?;
    let serves = match which {
        ModelVersion::Pinned(pinned) => Some(pinned.clone()),
        ModelVersion::Promoted(_) => promotions.last().map(crate::model::registry::Promotion::pushed),
    };
    if json {
        out::json(&serde_json::json!({ "versions": versions, "promotions": promotions, "serves": serves }))?;
        return Ok(0);
    }
    for version in &versions {
        let mark = if Some(version) == serves.as_ref() { "  serves" } else { "" };
        out::line(format!("{} {}  {}{mark}", version.name, version.version, version.sha256))?;
    }
    for promotion in &promotions {
        let why = match &promotion.basis {
            Basis::First(gate) | Basis::Gate(gate) => {
                format!("judged by {} {}: {}", gate.set, gate.set_version, shown(&gate.candidate))
            }
            Basis::Rollback { to } => format!("back to promotion {to}"),
        };
        out::line(format!(
            "promotion {}  {}  {}  {why}",
            promotion.sequence, promotion.promoted_at, promotion.version
        ))?;
    }
    if versions.is_empty() {
        out::error(&format!(
            "no version of {name} is in {}; `portcullis models push FOLDER` puts one there",
            registry.place()
        ));
    }
    Ok(0)
}

fn push(folder: &std::path::Path, config: &Config) -> Result<u8, Failure> {
    let (registry, name, _) = registry(config)?;
    // What would not load there does not go there.
    let classifier = Classifier::load(folder, &classifier_config(config), &config.limits).map_err(Failure::job)?;
    let manifest = classifier.manifest();
    if manifest.name != name {
        return Err(Failure::usage(format!(
            "{} is the model {}, and model.name is {name}",
            folder.display(),
            manifest.name
        )));
    }
    let pushed = block_on(registry.push(folder))?.map_err(Failure::job)?;
    out::line(format!("{} {}  {}", pushed.name, pushed.version, pushed.sha256))?;
    Ok(0)
}

fn promote(args: &PromoteArgs) -> Result<u8, Failure> {
    let config = args.config.config()?;
    let (registry, name, which) = registry(&config)?;
    let ModelVersion::Promoted(trusted) = which else { return Err(pinned()) };
    let key = signing_key(&args.key, trusted)?;
    let set_keys = args.set_key.iter().map(|key| public_key(key)).collect::<Result<Vec<_>, _>>()?;
    let sets = config
        .datasets
        .as_ref()
        .ok_or_else(|| Failure::usage("the set is looked for in `datasets.store`, and there is none"))?;
    let shelf = Shelf::open(&sets.store).map_err(Failure::usage)?;
    let cache = model_cache(&config.state);
    let work = async {
        let (set, version) = (&args.set, args.set_version);
        let frozen = shelf.frozen(set, version, &set_keys).await.map_err(Failure::job)?;
        let frozen = frozen
            .ok_or_else(|| Failure::usage(format!("{set} {version} is not frozen (`portcullis dataset freeze`)")))?;
        let (manifest, _) = shelf.manifest(set, version).await.map_err(Failure::job)?;
        let rows = shelf.rows(&manifest, EVAL).await.map_err(Failure::job)?;
        let wanted = registry.version(name, &args.version).await.map_err(Failure::job)?;
        let wanted = wanted.ok_or_else(|| {
            Failure::usage(format!("no version {} of {name} is in {}", args.version, registry.place()))
        })?;
        let candidate = registry.fetch(&wanted, &cache).await.map_err(Failure::job)?;
        let last = registry.promoted(name, trusted).await.map_err(Failure::job)?.map(|(promotion, _)| promotion);
        let present = match last {
            Some(promotion) => Some(registry.fetch(&promotion.pushed(), &cache).await.map_err(Failure::job)?),
            None => None,
        };
        Ok::<_, Failure>((frozen, rows, wanted, candidate, present))
    };
    let (frozen, rows, wanted, candidate, present) = block_on(work)??;
    if present.is_none() != args.first {
        let why = if args.first {
            "something was promoted before: leave --first out"
        } else {
            "nothing was promoted yet: --first says that you know"
        };
        return Err(Failure::usage(why));
    }
    let candidate = judged(candidate, &config, &rows)?;
    out::error(&format!("candidate  {}  {}", candidate.version, shown(&candidate)));
    let present = present.map(|folder| judged(folder, &config, &rows)).transpose()?;
    if let Some(present) = &present {
        out::error(&format!("present    {}  {}", present.version, shown(present)));
        let objections = gate::objections(present, &candidate, args.tolerance);
        if !objections.is_empty() {
            let message = format!(
                "{} is worse than {}: {}\nnothing was promoted",
                candidate.version,
                present.version,
                objections.join("; ")
            );
            return Err(Failure::job(message));
        }
    }
    let gate = Gate {
        set: frozen.name.to_string(),
        set_version: frozen.version.to_string(),
        set_sha256: frozen.manifest_sha256,
        tolerance: args.tolerance,
        present,
        candidate,
    };
    let basis = if args.first { Basis::First(gate) } else { Basis::Gate(gate) };
    sign(&registry, &wanted, basis, &key)
}

fn shadow(json: bool, config: &ConfigArg) -> Result<u8, Failure> {
    let answer = admin::ask(&admin::appliance(config)?, Method::GET, "/api/v1/models", None)?;
    let Some((StatusCode::OK, answer)) = answer else {
        return Err(Failure::job("the appliance does not run; start it with `portcullis run`"));
    };
    let Some(figures) = answer.get("shadow").filter(|figures| !figures.is_null()) else {
        return Err(Failure::usage("no model looks on; name one as `model.shadow` (docs/models.md)"));
    };
    if json {
        out::json(figures)?;
        return Ok(0);
    }
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    out::line(format!(
        "{}: {} texts since {}, {} would differ",
        text(figures, "version"),
        text(figures, "judged"),
        text(figures, "since"),
        text(figures, "differs")
    ))?;
    for one in figures.get("transitions").and_then(Value::as_array).into_iter().flatten() {
        out::line(format!("{:<6} -> {:<6} {}", text(one, "from"), text(one, "to"), text(one, "texts")))?;
    }
    for (why, texts) in figures.get("dropped").and_then(Value::as_object).into_iter().flatten() {
        out::line(format!("left out: {texts} {why}"))?;
    }
    Ok(0)
}

fn rollback(key: &std::path::Path, config: &Config) -> Result<u8, Failure> {
    let (registry, name, which) = registry(config)?;
    let ModelVersion::Promoted(trusted) = which else { return Err(pinned()) };
    let key = signing_key(key, trusted)?;
    let promotions = block_on(registry.promotions(name, trusted))?.map_err(Failure::job)?;
    let Some(last) = promotions.last() else { return Err(Failure::usage(format!("nothing of {name} was promoted"))) };
    // From a promotion that went back itself, further back.
    let from = match last.basis {
        Basis::Rollback { to } => to,
        Basis::First(_) | Basis::Gate(_) => last.sequence,
    };
    let earlier =
        promotions.iter().rev().filter(|one| one.sequence < from && !matches!(one.basis, Basis::Rollback { .. }));
    let to = earlier.into_iter().find(|one| one.bundle_sha256 != last.bundle_sha256);
    let to = to.ok_or_else(|| Failure::usage(format!("before {} nothing was promoted", last.version)))?;
    sign(&registry, &to.pushed(), Basis::Rollback { to: to.sequence }, &key)
}

fn sign(registry: &Registry, what: &Pushed, basis: Basis, key: &SigningKey) -> Result<u8, Failure> {
    let promotion = block_on(registry.promote(what, basis, key, Timestamp::now()))?.map_err(Failure::job)?;
    out::line(format!(
        "promotion {}: {} {} is to serve; appliances that follow take it within a minute",
        promotion.sequence, what.name, what.version
    ))?;
    Ok(0)
}

/// A key that the appliances of this configuration trust.
fn signing_key(path: &std::path::Path, trusted: &[crate::audit::PublicKey]) -> Result<SigningKey, Failure> {
    let key = SigningKey::read(path).map_err(Failure::usage)?;
    if !trusted.contains(&key.public()) {
        return Err(Failure::usage(format!(
            "the key {} is not under model.trusted_keys: nobody would follow it",
            key.public()
        )));
    }
    Ok(key)
}

fn pinned() -> Failure {
    Failure::usage(
        "model.version pins a version: change it there, or follow promotions with `trusted_keys` in its place",
    )
}

fn judged(folder: PathBuf, config: &Config, rows: &[Row]) -> Result<Figures, Failure> {
    // The queue holds what is asked at once, however long the texts are.
    let mut limits = config.limits.clone();
    limits.model_queue = limits.model_queue.max(1 << 16);
    let classifier = Arc::new(Classifier::load(&folder, &classifier_config(config), &limits).map_err(Failure::job)?);
    gate::figures(&classifier, rows).map_err(Failure::job)
}

fn shown(figures: &Figures) -> String {
    format!(
        "auc {:.4}, recall {:.3} at 1 % false alarms, {:.3} with {:.3} false alarms at its threshold ({} attacks, {} harmless)",
        figures.auc, figures.recall_at_fpr_01, figures.recall, figures.fpr, figures.rows[0], figures.rows[1]
    )
}
