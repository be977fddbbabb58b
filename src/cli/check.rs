//! `portcullis check`: configuration, rules and model; every problem at once.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{ConfigArg, Failure, block_on, out};
use crate::app;
use crate::base::{FaultAction, Limits};
use crate::classify::{Classifier, ClassifierConfig};
use crate::config::{Config, Loaded, ModelConfig, Readable};
use crate::rules;
use crate::scan::Scanner;
use crate::yaml::diagnostic::{Diagnostic, few};

/// Warnings of one kind that are shown without `--all`.
const WARNINGS: usize = 3;

/// Check configuration, rules and model, and name every problem at once.
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Show every warning, not only a few of each kind
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &CheckArgs) -> Result<u8, Failure> {
    let mut problems = Vec::new();
    match args.config.load() {
        Ok(Loaded { config, warnings, .. }) => {
            args.warn(&warnings);
            let Config { rules, model, limits, .. } = &config;
            problems.extend(app::problems(&config));
            problems.extend(args.check_rules(rules, Some(&config))?);
            if let Some(problem) = check_model(model, limits)? {
                match config.policy.faults.model_missing {
                    FaultAction::Degrade => out::error(&format!(
                        "warning {problem}\n  help: policy.faults.model_missing says `degrade`: it would run on rules alone"
                    )),
                    FaultAction::Block | FaultAction::Pass => problems.push(problem),
                }
            }
        }
        Err(found) => {
            problems.push(found.to_string());
            // A wrong line elsewhere does not keep rules and model from being looked at.
            let Readable { rules, model, .. } = args.config.readable();
            problems.extend(rules.map(|rules| args.check_rules(&rules, None)).transpose()?.flatten());
            problems.extend(model.map(|model| check_model(&model, &Limits::default())).transpose()?.flatten());
        }
    }
    if !problems.is_empty() {
        return Err(Failure::usage(problems.join("\n")));
    }
    out::line("configuration: all well")?;
    Ok(0)
}

impl CheckArgs {
    /// `config`: what the rules' models and throttles are held against, where it can be read.
    fn check_rules(&self, folders: &[PathBuf], config: Option<&Config>) -> Result<Option<String>, Failure> {
        let loaded = match rules::load(folders) {
            Ok(loaded) => loaded,
            Err(mut found) => {
                self.warn(&std::mem::take(&mut found.warnings));
                return Ok(Some(found.to_string()));
            }
        };
        self.warn(&loaded.warnings.warnings);
        self.warn(&rules::exception::notices(loaded.set.exceptions(), app::today()));
        let mut unknown = config.map(|config| app::unknown_names(config, &loaded.set)).unwrap_or_default();
        self.warn(&std::mem::take(&mut unknown.warnings));
        if !unknown.errors.is_empty() {
            return Ok(Some(unknown.to_string()));
        }
        let count = loaded.set.len();
        match Scanner::new(Arc::new(loaded.set)) {
            Ok(_) => out::line(format!("rules: {count}, all well"))?,
            Err(error) => return Ok(Some(error.to_string())),
        }
        Ok(None)
    }

    /// Says what is allowed and yet not good: hundreds of one kind would hide the others.
    fn warn(&self, warnings: &[Diagnostic]) {
        let (shown, more) = few(warnings, if self.all { usize::MAX } else { WARNINGS });
        shown.iter().for_each(|warning| out::error(&format!("warning {warning}")));
        for (code, count) in more {
            out::error(&format!("warning {code}: and {count} more of this kind; `portcullis check --all` shows them"));
        }
    }
}

/// A folder in the place for such, that nobody else can have made or can write to.
fn aside() -> Result<PathBuf, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::job(format!("the system gives no random numbers: {error}")))?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = std::env::temp_dir().join(format!("portcullis-check-{name}"));
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.map_err(|error| Failure::job(format!("{} cannot be made: {error}", path.display())))?;
    Ok(path)
}

fn check_model(model: &ModelConfig, limits: &Limits) -> Result<Option<String>, Failure> {
    let settings = ClassifierConfig { threads: model.threads, onnxruntime: model.onnxruntime.clone() };
    // Fetched to be looked at, and not into the state folder: whoever checks need not be who runs it.
    let aside = aside()?;
    let folder = block_on(app::model_folder(&model.source, &aside, limits))?;
    let loaded = folder.and_then(|folder| Classifier::load(&folder, &settings, limits));
    let _ = std::fs::remove_dir_all(&aside);
    match loaded {
        Ok(classifier) => out::line(format!("model: version {}, self-test passed", classifier.version()))?,
        Err(error) => return Ok(Some(format!("model: {error}"))),
    }
    Ok(None)
}
