//! `portcullis models`: what models there are, and whether they are what they should be.

use clap::Subcommand;

use super::{ConfigArg, Failure, out};
use crate::classify::{Classifier, ClassifierConfig};

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// The models that the configuration names
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
}

pub(super) fn run(command: &ModelsCommand) -> Result<u8, Failure> {
    match command {
        ModelsCommand::List { json, config } => {
            let config = config.config()?;
            let manifest = crate::model::Manifest::read(&config.model.folder, &config.limits).map_err(Failure::job)?;
            if *json {
                out::json(&[&manifest])?;
            } else {
                out::line(format!("{} {} ({})", manifest.name, manifest.version, config.model.folder.display()))?;
            }
            Ok(0)
        }
        ModelsCommand::Verify { config } => {
            let config = config.config()?;
            let settings =
                ClassifierConfig { threads: config.model.threads, onnxruntime: config.model.onnxruntime.clone() };
            let classifier = Classifier::load(&config.model.folder, &settings, &config.limits).map_err(Failure::job)?;
            out::line(format!("{}: files, format and golden scores are as recorded", classifier.version()))?;
            Ok(0)
        }
    }
}
