//! `portcullis rules new`: a rule with the next free id, on stdout or at the end of a rule file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};

use super::files;
use crate::base::limits::rules as limits;
use crate::cli::{ConfigArg, Failure, out};
use crate::rules::draft::{self, Draft, PatternForm};
use crate::rules::{self, Family};
use crate::scan::Scanner;
use crate::scan::examples::run_examples;

/// The examples of a rule that has none yet.
const TO_FILL_IN: [&str; 4] =
    ["first text that must be found", "second text that must be found", "first near miss", "second near miss"];

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("pattern").args(["literal", "regex"]).multiple(true).required(true))]
pub(in crate::cli) struct NewArgs {
    /// The family: agent, injection, leak, secrets …
    #[arg(value_parser = files::family)]
    family: Family,
    /// One line for people
    #[arg(long, default_value = "What the rule finds")]
    title: String,
    /// A text to find; may be given several times
    #[arg(long, value_name = "TEXT")]
    literal: Vec<String>,
    /// A regex to find; may be given several times
    #[arg(long, value_name = "REGEX")]
    regex: Vec<String>,
    /// A text that the rule must find; two at least for --file
    #[arg(long = "match", value_name = "TEXT")]
    matching: Vec<String>,
    /// A text that the rule must leave alone; two at least for --file
    #[arg(long = "pass", value_name = "TEXT")]
    passing: Vec<String>,
    /// info, low, medium, high or critical
    #[arg(long, default_value = "medium")]
    severity: String,
    /// request, reply or both
    #[arg(long, default_value = "both")]
    direction: String,
    /// score, flag, block, or redact with --mask
    #[arg(long, default_value = "score")]
    action: String,
    /// What stands in the finding's place
    #[arg(long)]
    mask: Option<String>,
    /// Judge the text as it was sent
    #[arg(long)]
    raw: bool,
    /// Append the rule to this file, or make it: …/FAMILY/NAME.yaml. Without it the rule goes to stdout, to be filled in
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(args: &NewArgs) -> Result<u8, Failure> {
    let existing = match &args.file {
        Some(path) => {
            files::in_family(path, args.family)?;
            path.exists().then(|| files::read_rules(path)).transpose()?
        }
        None => None,
    };
    let taken = files::ids(&args.config, args.file.as_deref().map(|path| (path, args.family)))?;
    let id = draft::free_ids(args.family, 1, 1, |id| taken.iter().any(|known| known == id))
        .pop()
        .ok_or_else(|| Failure::job(format!("all numbers of {} are taken", args.family.prefix())))?;
    let draft = draft(args, id);
    let Some(path) = &args.file else {
        out::verbatim(draft.yaml().trim_end())?;
        return Ok(0);
    };
    for (given, what) in [(args.matching.len(), "--match"), (args.passing.len(), "--pass")] {
        if given < limits::EXAMPLES_MIN {
            let message =
                format!("{what} is needed {} times: a rule shows what it finds and what not", limits::EXAMPLES_MIN);
            return Err(Failure::usage(format!("{message}; leave --file out for a rule to fill in on stdout")));
        }
    }
    let text = match &existing {
        Some(text) => format!("{}\n\n{}", text.trim_end(), draft.yaml()),
        None => draft::file(args.family, &[], std::slice::from_ref(&draft)),
    };
    prove(&draft, args.family)?;
    match &existing {
        Some(_) => files::replace(path, &text)
            .map_err(|error| Failure::job(format!("{} cannot be written: {error}", path.display())))?,
        None => files::NewFile::check(path, args.family)?.write(&text)?,
    }
    let is_known = check(path, existing.as_deref(), &args.config)?;
    out::line(format!("{}: {} added, its examples hold", path.display(), draft.id))?;
    if !is_known {
        out::error("the file lies below none of `rules.folders`: name its folder there, or the rule is not in force");
    }
    Ok(0)
}

fn draft(args: &NewArgs, id: String) -> Draft {
    let literals = args.literal.iter().map(|text| (PatternForm::Literal, text.clone()));
    let regexes = args.regex.iter().map(|text| (PatternForm::Regex, text.clone()));
    let [first, second, third, fourth] = TO_FILL_IN.map(str::to_owned);
    let given = |given: &[String], else_: [String; 2]| if given.is_empty() { else_.to_vec() } else { given.to_vec() };
    Draft {
        id,
        title: args.title.clone(),
        severity: args.severity.clone(),
        tags: vec![draft::usual_tag(args.family).to_owned()],
        direction: args.direction.clone(),
        raw: args.raw,
        patterns: literals.chain(regexes).collect(),
        action: args.action.clone(),
        mask: args.mask.clone().unwrap_or_default(),
        sensitive: matches!(args.family, Family::Pii | Family::Secrets),
        matching: given(&args.matching, [first, second]).into_iter().map(|text| (text, None)).collect(),
        passing: given(&args.passing, [third, fourth]),
        ..Draft::default()
    }
}

/// Loads the rule by itself and runs its examples.
fn prove(draft: &Draft, family: Family) -> Result<(), Failure> {
    let refused = |what: String| Failure::usage(format!("the rule would not do, so nothing was written:\n{what}"));
    let text = draft::file(family, &[], std::slice::from_ref(draft));
    let sources = vec![(Path::new(family.name()).join("new.yaml"), text)];
    let loaded = rules::from_sources(sources).map_err(|found| refused(found.to_string()))?;
    loaded.warnings.warnings.iter().for_each(|warning| out::error(&format!("warning {warning}")));
    let scanner = Scanner::new(Arc::new(loaded.set)).map_err(|error| refused(error.to_string()))?;
    let report = run_examples(&scanner);
    if report.is_ok() { Ok(()) } else { Err(refused(report.to_string())) }
}

/// Checks all rules with the file as it is now; what was there before comes back when they do not load. True when the file
/// lies in a folder that the configuration names.
fn check(path: &Path, before: Option<&str>, config: &ConfigArg) -> Result<bool, Failure> {
    let mut folders = config.config()?.rules;
    let full = fs::canonicalize(path)?;
    let is_known =
        folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).any(|folder| full.starts_with(folder));
    if !is_known {
        folders.extend(full.parent().and_then(Path::parent).map(Path::to_owned));
    }
    let Err(found) = rules::load(&folders) else { return Ok(is_known) };
    let undone = match before {
        Some(text) => files::replace(path, text),
        None => fs::remove_file(path),
    };
    let state = if undone.is_ok() { "the file is as it was" } else { "and the file could not be put back" };
    Err(Failure::usage(format!("with the new rule the rules do not load; {state}:\n{found}")))
}
