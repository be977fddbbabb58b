//! The desk at which rules are changed by hand: every change is tried on a copy of the folders first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::archive::Files;
use super::build::Frame;
use super::capture::capture;
use super::refusal::Refusal;
use super::{compile_rules, sealed, snapshot, today};
use crate::config::Source;
use crate::proxy::{Drafted, PolicyDesk, PolicyFile, Problem};
use crate::rules::RuleSet;
use crate::rules::edit::{RuleEdit, with_example, with_exception};
use crate::scan::examples::Trial;

/// The desk.
#[derive(Debug)]
pub(super) struct Desk {
    source: Source,
    frame: Frame,
    kept: Files,
    /// One change at a time: there is one copy.
    turn: Mutex<()>,
}

/// A copy of the rules folders, gone with this.
struct Copied {
    root: PathBuf,
    /// The folders as configured.
    folders: Vec<PathBuf>,
    /// Their copies.
    copies: Vec<PathBuf>,
}

impl Drop for Copied {
    fn drop(&mut self) {
        // What cannot be removed is removed before the next one.
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Desk {
    pub(super) fn new(source: Source, frame: Frame) -> Self {
        let kept = Files::new(&frame.state);
        Self { source, frame, kept, turn: Mutex::new(()) }
    }

    fn copy(&self, folders: Vec<PathBuf>) -> Result<Copied, Refusal> {
        let captured = capture(&folders, &self.frame.limits)?;
        let root = self.frame.state.join(FOLDER);
        let failed = |error: io::Error| {
            let message = format!("a copy of the rules cannot be made in {}: {error}", root.display());
            Refusal::new(message, "make room there, and let the appliance write")
        };
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        // The folders keep their names: the name above a file says its family.
        let copy = |(number, folder): (usize, &PathBuf)| {
            root.join(number.to_string()).join(folder.file_name().unwrap_or("rules".as_ref()))
        };
        let copies: Vec<PathBuf> = folders.iter().enumerate().map(copy).collect();
        let copied = Copied { root: root.clone(), folders, copies };
        copied.copies.iter().try_for_each(|folder| sealed::make_folder(folder)).map_err(failed)?;
        for file in &captured.files {
            let Some(place) = copied.copies.get(file.folder).map(|folder| folder.join(&file.path)) else { continue };
            let folder = place.parent().unwrap_or(&root);
            sealed::make_folder(folder).and_then(|()| fs::write(&place, &file.content)).map_err(failed)?;
        }
        Ok(copied)
    }

    fn try_out(&self, edit: &RuleEdit) -> Result<Drafted, Refusal> {
        let written = self.source.read()?;
        let sections = written.policy()?;
        let copied = self.copy(sections.rules)?;
        // The names of the copies are nobody's.
        self.change(&copied, &sections.policy, edit).map_err(|refusal| copied.named(refusal))
    }

    fn change(
        &self,
        copied: &Copied,
        policy: &crate::config::PolicyConfig,
        edit: &RuleEdit,
    ) -> Result<Drafted, Refusal> {
        let set = super::load_set(&copied.copies)?;
        let (rule, place, before, after) = match edit {
            RuleEdit::Exception(draft) => {
                rule_of(&set, &draft.rule)?;
                let folder =
                    copied.copies.last().ok_or_else(|| Refusal::new("there is no rules folder", "name one"))?;
                let place = folder.join(EXCEPTIONS);
                let before = read(&place)?;
                let after = with_exception(before.as_deref(), &free_id(&set), draft);
                (draft.rule.as_str(), place, before, after)
            }
            RuleEdit::Example { rule, is_match, text } => {
                let (file, line) = rule_of(&set, rule)?;
                let before = read(&file)?.unwrap_or_default();
                let after = with_example(&before, line, *is_match, text);
                (rule.as_str(), file, Some(before), after)
            }
        };
        let after =
            after.map_err(|why| Refusal::new(format!("{}: {why}", place.display()), "change the file by hand"))?;
        fs::write(&place, &after)
            .map_err(|error| Refusal::new(format!("{}: {error}", place.display()), "make room"))?;
        let all = super::compile(super::load_set(&copied.copies)?)?;
        let examples = Trial { scanner: &all, reloaded: None, only: rule }.run();
        let scanner = compile_rules(&copied.copies, policy, self.frame.names.as_ref())?;
        let candidate = Arc::new(snapshot(policy, scanner, &self.frame.limits));
        Ok(Drafted { file: copied.real(&place), before, after, candidate, examples })
    }
}

impl Copied {
    /// The file that one in a copy is a copy of.
    fn real(&self, place: &Path) -> PathBuf {
        let pairs = self.copies.iter().zip(&self.folders);
        let mut found = pairs.filter_map(|(copy, folder)| Some(folder.join(place.strip_prefix(copy).ok()?)));
        found.next().unwrap_or_else(|| place.to_owned())
    }

    fn named(&self, refusal: Refusal) -> Refusal {
        let real = |text: String| {
            self.copies.iter().zip(&self.folders).fold(text, |text, (copy, folder)| {
                text.replace(&copy.display().to_string(), &folder.display().to_string())
            })
        };
        let problem = |problem: Problem| Problem {
            file: problem.file.map(|file| self.real(&file)),
            message: real(problem.message),
            help: real(problem.help),
            text: real(problem.text),
            ..problem
        };
        Refusal {
            problems: refusal.problems.into_iter().map(problem).collect(),
            text: real(refusal.text),
            passing: refusal.passing,
        }
    }
}

impl PolicyDesk for Desk {
    fn files(&self, version: &str) -> Result<Option<Vec<PolicyFile>>, String> {
        self.kept.read(version).map_err(|error| format!("the kept policy {version} cannot be read: {error}"))
    }

    fn draft(&self, edit: &RuleEdit) -> Result<Drafted, Vec<Problem>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.try_out(edit).map_err(|refusal| refusal.problems)
    }

    fn write(&self, drafted: &Drafted) -> Result<(), String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let file = &drafted.file;
        let now = read(file).map_err(|refusal| refusal.text)?;
        if now != drafted.before {
            return Err(format!("{} was changed meanwhile; look at it once more", file.display()));
        }
        replace(file, &drafted.after).map_err(|error| format!("{} cannot be written: {error}", file.display()))
    }

    fn undo(&self, drafted: &Drafted) -> Result<(), String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let file = &drafted.file;
        let undone = match &drafted.before {
            Some(before) => replace(file, before),
            None => fs::remove_file(file),
        };
        undone.map_err(|error| format!("{} cannot be put back: {error}", file.display()))
    }
}

/// The file and line of a rule.
fn rule_of(set: &RuleSet, id: &str) -> Result<(PathBuf, usize), Refusal> {
    let none =
        || Refusal::new(format!("no rule `{}` stands in the rules folders", id.escape_debug()), "reload the policy");
    let (_, rule) = set.by_id(id).ok_or_else(none)?;
    Ok((rule.file.clone(), usize::try_from(rule.line).unwrap_or(0)))
}

/// `EXC-20261123-1`: the first of today that is free.
fn free_id(set: &RuleSet) -> String {
    let day = today().strftime("%Y%m%d").to_string();
    let id = |number: usize| format!("EXC-{day}-{number}");
    let is_free = |id: &String| !set.exceptions().iter().any(|known| known.id == *id);
    (1..).map(id).find(is_free).unwrap_or_default()
}

/// `None`: there is no such file.
fn read(path: &Path) -> Result<Option<String>, Refusal> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Refusal::new(format!("{} cannot be read: {error}", path.display()), "let the appliance read it"))
        }
    }
}

/// Whole or not at all, and with the mode that the file had.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("yaml.new");
    fs::write(&beside, text)?;
    if let Ok(metadata) = fs::metadata(path) {
        fs::set_permissions(&beside, metadata.permissions())?;
    }
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), sealed::flush_folder)
}

/// The copy, in the state folder.
const FOLDER: &str = "draft";
/// Where the console's exceptions stand, in the last of the rules folders.
const EXCEPTIONS: &str = "console.yaml";
