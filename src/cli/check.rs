//! `portcullis check`: configuration, rules and model; every problem at once.

use super::{ConfigArg, Failure, out};
use crate::app;
use crate::classify::{Classifier, ClassifierConfig};
use crate::rules;
use crate::scan::Scanner;

pub(super) fn run(args: &ConfigArg) -> Result<u8, Failure> {
    let loaded = args.load()?;
    let config = loaded.config;
    let mut problems = app::problems(&config);
    loaded.warnings.iter().for_each(|warning| out::error(&format!("warning {warning}")));
    match rules::load(&config.rules) {
        Err(found) => problems.push(found.to_string()),
        Ok(loaded) => {
            loaded.warnings.warnings.iter().for_each(|warning| out::error(&format!("warning {warning}")));
            let count = loaded.set.len();
            match Scanner::new(std::sync::Arc::new(loaded.set)) {
                Ok(_) => out::line(format!("rules: {count}, all well"))?,
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    let settings = ClassifierConfig { threads: config.model.threads, onnxruntime: config.model.onnxruntime.clone() };
    match Classifier::load(&config.model.folder, &settings, &config.limits) {
        Ok(classifier) => out::line(format!("model: version {}, self-test passed", classifier.version()))?,
        Err(error) => problems.push(format!("model: {error}")),
    }
    if !problems.is_empty() {
        return Err(Failure::usage(problems.join("\n")));
    }
    out::line("configuration: all well")?;
    Ok(0)
}
