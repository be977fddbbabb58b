//! `portcullis rules import`: rules of other programs and word lists as rule files.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::base::limits::rules as limits;
use crate::cli::{ConfigArg, Failure, out};
use crate::rules::draft::{self, Draft};
use crate::rules::family::{NUMBER_MAX, OWN_FIRST};
use crate::rules::import::{Imported, Note, gitleaks, words};
use crate::rules::{self, Family};
use crate::scan::Scanner;
use crate::scan::examples::run_examples;

use super::files::{self, NewFile};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ImportCommand {
    /// Rules of gitleaks, from its TOML
    Gitleaks(GitleaksArgs),
    /// A word list, one entry a line
    Words(WordsArgs),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct GitleaksArgs {
    /// The TOML; `-` reads standard input
    file: PathBuf,
    /// The rule file to write: …/secrets/NAME.yaml, not there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The first number to give
    #[arg(long, default_value_t = OWN_FIRST, value_name = "NUMBER")]
    first: u32,
    /// Fail when anything was left out or means something else here; nothing is written then
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct WordsArgs {
    /// The list; `-` reads standard input
    file: PathBuf,
    /// The rule file to write: …/FAMILY/NAME.yaml, not there yet. A long list goes beside it, into lists/NAME.txt
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The rule's family
    #[arg(long, value_parser = files::family)]
    family: Family,
    /// The rule's id; left out: the next free one
    #[arg(long)]
    id: Option<String>,
    /// The rule's title
    #[arg(long)]
    title: Option<String>,
    /// request, reply or both
    #[arg(long, default_value = "both")]
    direction: String,
    /// score, flag, block, or redact with --mask
    #[arg(long, default_value = "flag")]
    action: String,
    /// What stands in a word's place
    #[arg(long)]
    mask: Option<String>,
    /// Fail when an entry was left out; nothing is written then
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(command: &ImportCommand) -> Result<u8, Failure> {
    match command {
        ImportCommand::Gitleaks(args) => gitleaks(args),
        ImportCommand::Words(args) => words(args),
    }
}

fn gitleaks(args: &GitleaksArgs) -> Result<u8, Failure> {
    let out = NewFile::check(&args.out, Family::Secrets)?;
    let taken = files::ids(&args.config, Some((&args.out, Family::Secrets)))?;
    let text = files::read(&args.file)?;
    let mut imported = gitleaks::import(&text)
        .map_err(|error| Failure::usage(format!("{} cannot be imported: {error}", args.file.display())))?;
    let asked = imported.rules.len();
    let ids = draft::free_ids(Family::Secrets, args.first, asked, |id| taken.iter().any(|known| known == id));
    for named in imported.rules.split_off(ids.len()) {
        let what = format!("no number from {} to {NUMBER_MAX} is free", args.first);
        imported.notes.push(Note { name: named.name, what, left_out: true });
    }
    imported.rules.iter_mut().zip(ids).for_each(|(named, id)| named.draft.id = id);
    prove(&mut imported);
    let head = [format!("Imported from {} of gitleaks (MIT licence).", name(&args.file))];
    finish(&out, Family::Secrets, &head, &imported, None, args.strict)
}

fn words(args: &WordsArgs) -> Result<u8, Failure> {
    let out = NewFile::check(&args.out, args.family)?;
    let taken = files::ids(&args.config, Some((&args.out, args.family)))?;
    let id = match &args.id {
        Some(id) if taken.contains(id) => {
            return Err(Failure::usage(format!("the id {id} is taken; leave --id out for the next free one")));
        }
        Some(id) => id.clone(),
        None => {
            draft::free_ids(args.family, OWN_FIRST, 1, |id| taken.iter().any(|known| known == id)).pop().ok_or_else(
                || Failure::usage(format!("no number from {OWN_FIRST} to {NUMBER_MAX} is free; name one with --id")),
            )?
        }
    };
    let text = files::read(&args.file)?;
    let draft = Draft {
        id,
        title: args.title.clone().unwrap_or_else(|| format!("Word of the list {}", name(&args.file))),
        severity: "medium".to_owned(),
        tags: vec![draft::usual_tag(args.family).to_owned()],
        direction: args.direction.clone(),
        action: args.action.clone(),
        mask: args.mask.clone().unwrap_or_default(),
        ..Draft::default()
    };
    let topic = args.out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let list = format!("lists/{topic}.txt");
    let (imported, entries) = words::import(&text, draft, &list)
        .map_err(|error| Failure::usage(format!("{} cannot be imported: {error}", args.file.display())))?;
    let head = [format!("Imported from the word list {}.", name(&args.file))];
    let list = (entries.len() > words::INLINE).then(|| (PathBuf::from(list), entries.join("\n") + "\n"));
    finish(&out, args.family, &head, &imported, list, args.strict)
}

/// Takes out what does not do what its examples say: such a translation is wrong.
fn prove(imported: &mut Imported) {
    let drafts = std::mem::take(&mut imported.rules);
    for named in drafts {
        let text = draft::file(Family::Secrets, &[], std::slice::from_ref(&named.draft));
        match proven(vec![(PathBuf::from("secrets/import.yaml"), text)]) {
            Ok(()) => imported.rules.push(named),
            Err(what) => imported.notes.push(Note { name: named.name, what, left_out: true }),
        }
    }
}

/// Loads rules and runs their examples.
fn proven(sources: Vec<(PathBuf, String)>) -> Result<(), String> {
    let loaded = rules::from_sources(sources).map_err(|found| found.to_string())?;
    let scanner = Scanner::new(Arc::new(loaded.set)).map_err(|error| error.to_string())?;
    let report = run_examples(&scanner);
    if report.is_ok() { Ok(()) } else { Err(report.to_string()) }
}

/// Writes the file, with what is not in it as comments, and says the same on stderr.
fn finish(
    to: &NewFile,
    family: Family,
    head: &[String],
    imported: &Imported,
    list: Option<(PathBuf, String)>,
    strict: bool,
) -> Result<u8, Failure> {
    let said: Vec<String> = imported.notes.iter().map(line).collect();
    said.iter().for_each(|line| out::error(line));
    if strict && !said.is_empty() {
        return Err(Failure::job(format!(
            "{} things are not as they were; nothing was written (--strict)",
            said.len()
        )));
    }
    if imported.rules.is_empty() {
        return Err(Failure::job("nothing could be imported; nothing was written"));
    }
    let mut comments = head.to_vec();
    if !said.is_empty() {
        comments.push(String::new());
        comments.push("Not taken over, or not as it was:".to_owned());
        comments.extend(said.iter().map(|line| format!("- {line}")));
    }
    let drafts: Vec<Draft> = imported.rules.iter().map(|named| named.draft.clone()).collect();
    let text = draft::file(family, &comments, &drafts);
    if text.len() > limits::FILE_BYTES {
        let message =
            format!("the file would have {} bytes, {} are allowed: import it in parts", text.len(), limits::FILE_BYTES);
        return Err(Failure::job(message));
    }
    let topic = PathBuf::from(family.name()).join(to.path.file_name().unwrap_or_default());
    let mut sources = vec![(topic, text.clone())];
    sources.extend(list.iter().map(|(path, content)| (Path::new(family.name()).join(path), content.clone())));
    proven(sources)
        .map_err(|error| Failure::usage(format!("the rules would not load, so nothing was written:\n{error}")))?;
    if let Some((path, content)) = &list {
        let path = to.path.parent().unwrap_or(Path::new("")).join(path);
        NewFile { path }.write(content)?;
    }
    to.write(&text)?;
    let mut line = format!("{}: {} rules", to.path.display(), drafts.len());
    let left_out = imported.notes.iter().filter(|note| note.left_out).count();
    if !said.is_empty() {
        let _ = write!(line, "; {left_out} left out, {} told on stderr and in the file", said.len());
    }
    out::line(line)?;
    Ok(0)
}

fn line(note: &Note) -> String {
    let Note { name, what, left_out } = note;
    let name = if name.is_empty() { "settings" } else { name };
    format!("{name}: {}{what}", if *left_out { "left out: " } else { "" })
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_translation_that_does_not_hold_is_left_out() {
        let toml =
            "[[rules]]\nid = 'good'\nregex = 'key-[a-z0-9]{20}'\n[[rules]]\nid = 'bad'\nregex = 'kez-[a-z0-9]{20}'";
        let mut imported = gitleaks::import(toml).unwrap();
        for (named, id) in imported.rules.iter_mut().zip(["SEC-901", "SEC-902"]) {
            named.draft.id = id.to_owned();
        }
        imported.rules[1].draft.matching[0] = ("nothing".to_owned(), None);
        prove(&mut imported);
        assert_eq!(imported.rules.iter().map(|named| named.name.as_str()).collect::<Vec<_>>(), ["good"]);
        let left_out: Vec<_> = imported.notes.iter().filter(|note| note.left_out).collect();
        assert!(left_out.len() == 1 && left_out[0].name == "bad", "{:?}", imported.notes);
    }
}
