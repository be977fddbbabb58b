//! Reads rule files: folders recursively, in order of name, and overlay folders after them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::check::{self, Checked, Seen};
use super::exception::Exception;
use super::family::Family;
use super::folder::{self, RuleFile, Unlisted, is_named_yaml};
use super::ids;
use super::list::Lists;
use super::mention::{self, Mention};
use super::overlay::{self, Names, Overlay, Selector};
use super::set::{Rule, RuleSet};
use super::source::{self, FileSource};
use crate::base::limits::rules as limits;
use crate::base::utf8;
use crate::yaml::advice::advice;
use crate::yaml::diagnostic::{Codes, Diagnostics, Reporter};
use crate::yaml::node;

/// A loaded rule set, and what is allowed in it and yet not good.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub set: RuleSet,
    /// Warnings only.
    pub warnings: Diagnostics,
}

/// Codes of the problems that every YAML file can have.
const CODES: Codes =
    Codes { broken: "R002", unknown: "R003", twice: "R004", missing: "R005", mistyped: "R006", guide: "docs/rules.md" };

/// The code of the problem that there is no rule at all.
pub const NO_RULE: &str = "R049";

/// Loads every `*.yaml` and `*.yml` file below the folders. A later folder adds rules to the earlier ones; an id stays unique over all.
///
/// # Errors
/// Every problem of every file, with the warnings.
pub fn load(folders: &[PathBuf]) -> Result<Loaded, Diagnostics> {
    let mut problems = Diagnostics::default();
    let (mut sources, mut unread) = (Vec::new(), Vec::new());
    let mut left = limits::FILES + 1;
    for folder in folders {
        let mut files = match folder::rule_files(folder) {
            Ok(files) => files,
            Err(Unlisted { folder, message, help }) => {
                Reporter::new(&folder, "", CODES, &mut problems).error("R001", None, message, help);
                Vec::new()
            }
        };
        // One over the limit is enough to be told so. Those that cannot be read count too.
        files.truncate(left);
        left -= files.len();
        for file in files {
            match read(&file) {
                Ok(bytes) => match utf8::text(&bytes) {
                    Ok(content) => {
                        sources.push(RuleFile { path: file, root: folder.clone(), content: content.to_owned() });
                    }
                    Err(found) => {
                        let place = Some((found.line, found.column));
                        Reporter::new(&file, "", CODES, &mut problems).error(
                            "R001",
                            place,
                            found.to_string(),
                            found.help(),
                        );
                        unread.push(String::from_utf8_lossy(&bytes).into_owned());
                    }
                },
                Err(error) => {
                    let help = format!("a rule file is UTF-8 text of at most {} bytes", limits::FILE_BYTES);
                    Reporter::new(&file, "", CODES, &mut problems).error(
                        "R001",
                        None,
                        format!("cannot read it: {error}"),
                        help,
                    );
                }
            }
        }
    }
    build(&sources, unread, Lists::on_disk(), problems)
}

/// Loads rules from texts: name (`family/topic.yaml`) and content. A text whose name does not end in `.yaml` or `.yml` is a
/// list that the rule files beside or above it may name.
///
/// # Errors
/// Every problem of every text, with the warnings.
pub fn from_sources(sources: Vec<(PathBuf, String)>) -> Result<Loaded, Diagnostics> {
    let (sources, lists): (Vec<_>, Vec<_>) = sources.into_iter().partition(|(path, _)| is_named_yaml(path));
    let named = |(path, content)| RuleFile { path, root: PathBuf::new(), content };
    let mut sources: Vec<RuleFile> = sources.into_iter().map(named).collect();
    sources.sort();
    let lists = Lists::given(lists.iter().map(|(path, content)| (path.as_path(), content.as_str())));
    build(&sources, Vec::new(), lists, Diagnostics::default())
}

/// `unread`: what stands in further files that are no text, as far as it can be told.
fn build(
    sources: &[RuleFile],
    mut unread: Vec<String>,
    mut lists: Lists<'_>,
    mut problems: Diagnostics,
) -> Result<Loaded, Diagnostics> {
    let read: Vec<ReadFile> = sources.par_iter().with_max_len(1).map(ReadFile::new).collect();
    let mut seen = Seen::new();
    let mut rules: Vec<Rule> = Vec::new();
    let mut later: Vec<Later<'_>> = Vec::new();
    let (mut mentions, mut tags) = (Vec::new(), BTreeSet::new());
    for (RuleFile { path: file, root, content }, ReadFile { problems: found, source, checked, mentions: own }) in
        sources.iter().zip(read)
    {
        mentions.extend(own);
        let mut report = Reporter::new(file, content, CODES, &mut problems);
        report.adopt(found);
        if source.is_none() {
            unread.push(content.clone());
        }
        if let Some(source) = source {
            tags.extend(source.tags().map(str::to_owned));
            let checked = checked.unwrap_or_else(|| check::check(&source, root, &mut lists, &mut report));
            rules.extend(check::with_own_ids(checked, &mut seen, &mut report));
            later.push(Later { file, content, allows: allows(&source), overlay: source.overlay });
        }
        report.sort();
    }
    // What overrides and exceptions may name, rules with problems too: one broken file is one problem, not one for each name.
    let unread = unread.iter().flat_map(|text| ids::in_text(text)).map(str::to_owned);
    let names = Names::new(seen.keys().cloned().chain(unread), tags);
    let exceptions = lay_over(later, &mut rules, &names, &mut problems);
    if sources.len() > limits::FILES {
        let place = sources.last().map(|file| file.path.as_path()).unwrap_or(Path::new("rules"));
        let message = format!("more than {} rule files", limits::FILES);
        Reporter::new(place, "", CODES, &mut problems).error("R022", None, message, "put more rules into one file");
    }
    if rules.is_empty() && problems.errors.is_empty() {
        let help = "name a folder that holds `<family>/<topic>.yaml` files";
        Reporter::new(Path::new("rules"), "", CODES, &mut problems).error(NO_RULE, None, "no rule was found", help);
    }
    if problems.errors.is_empty() {
        return Ok(Loaded {
            set: RuleSet::new(rules, exceptions, mentions, sources, &lists.digest()),
            warnings: problems,
        });
    }
    Err(problems)
}

/// A file as far as it can be read by itself: the files share the cores.
#[derive(Debug, Default)]
struct ReadFile {
    problems: Diagnostics,
    /// `None`: it is no rule file.
    source: Option<FileSource>,
    /// `None`: it names lists. They are read in the files' order, since together they may have so many entries.
    checked: Option<Vec<Checked>>,
    mentions: Vec<Mention>,
}

impl ReadFile {
    fn new(RuleFile { path, root, content }: &RuleFile) -> Self {
        let mut read = Self::default();
        let mut report = Reporter::new(path, content, CODES, &mut read.problems);
        match node::parse(content) {
            Ok(node) => {
                read.mentions = mention::read(&node, path, content);
                read.source = source::read(&node, &mut report);
                let alone = read.source.as_ref().filter(|source| !source.names_lists());
                read.checked = alone.map(|source| check::check(source, root, &mut Lists::none(), &mut report));
            }
            Err((place, message)) => {
                report.error("R002", place, format!("not YAML: {message}"), advice(&message));
            }
        }
        read
    }
}

/// What a file says of rules by name, looked up once all files are read.
struct Later<'f> {
    file: &'f Path,
    content: &'f str,
    overlay: Overlay,
    /// Rules that allow, and the rules that they keep from acting.
    allows: Vec<(String, Vec<Selector>)>,
}

fn allows(source: &FileSource) -> Vec<(String, Vec<Selector>)> {
    let with_ids = source.rules.iter().filter_map(|rule| Some((rule.id.as_ref()?.value.clone(), rule.allows.clone())));
    with_ids.filter(|(_, allows)| !allows.is_empty()).collect()
}

/// Puts overrides, exceptions and what allows into the rules that they name. What is for some exchanges alone lies over what
/// is for all; else the later lies over the earlier.
fn lay_over(later: Vec<Later<'_>>, rules: &mut [Rule], names: &Names, problems: &mut Diagnostics) -> Vec<Exception> {
    let mut exceptions: Vec<Exception> = Vec::new();
    let mut overrides = 0;
    for Later { file, content, overlay, allows } in later {
        let mut report = Reporter::new(file, content, CODES, problems);
        for (id, selectors) in allows {
            for at in overlay::select(&selectors, rules, names, &mut report) {
                let quiet = rules.get_mut(at).filter(|rule| rule.id != id && rule.family != Family::Invisible);
                quiet.into_iter().for_each(|rule| rule.allowed_by.push(id.clone()));
            }
        }
        overrides += overlay.overrides.len();
        for (selectors, change) in overlay.overrides {
            let chosen = overlay::select(&selectors, rules, names, &mut report);
            overlay::apply(&change, &chosen, rules);
        }
        for (selectors, exception) in overlay.exceptions {
            if let Some(known) = exceptions.iter().find(|known| known.id == exception.id) {
                let message = format!(
                    "the exception `{}` is there already, in {}:{}",
                    known.id,
                    known.file.display(),
                    known.line
                );
                report.error("R042", exception.place(), message, "give this one another id; the record names it");
            }
            for at in overlay::select(&selectors, rules, names, &mut report) {
                if let Some(rule) = rules.get_mut(at) {
                    rule.exceptions.push(exceptions.len());
                }
            }
            exceptions.push(exception);
        }
        if overrides > limits::OVERLAYS || exceptions.len() > limits::OVERLAYS {
            let message = format!("{overrides} overrides and {} exceptions", exceptions.len());
            let help = format!("{} of each are allowed; name families and tags rather than rules", limits::OVERLAYS);
            report.error("R022", None, message, help);
            break;
        }
        report.sort();
    }
    exceptions
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let bound = u64::try_from(limits::FILE_BYTES).unwrap_or(u64::MAX);
    File::open(file)?.take(bound + 1).read_to_end(&mut content)?;
    if content.len() > limits::FILE_BYTES {
        return Err(io::Error::other(format!("it has more than {} bytes", limits::FILE_BYTES)));
    }
    Ok(content)
}
