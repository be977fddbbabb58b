//! The checked rule set: immutable, shared, with a version.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use regex_syntax::hir::Hir;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::applies::Scope;
use super::condition::{Condition, Scores};
use super::exception::Exception;
use super::family::Family;
use super::folder::RuleFile;
use super::lint::Allowed;
use super::mention::Mention;
use super::overlay::Override;
use super::required::Required;
use super::roles::Roles;
use super::transforms::Transforms;
use super::validator::Validator;
use crate::text::{Direction, Role};
use crate::verdict::{Action, Severity};

/// Points to a rule of the rule set that the scanner was built from. Ids are for people, indices for speed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RuleIndex(pub(crate) u32);

impl RuleIndex {
    pub(crate) fn get(self) -> usize {
        self.0 as usize
    }
}

/// All rules of one policy: immutable, shared through an `Arc`.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Box<[Rule]>,
    exceptions: Box<[Exception]>,
    headers: BTreeSet<String>,
    mentions: Box<[Mention]>,
    /// What rules have a client told, by id.
    messages: HashMap<String, String>,
    version: String,
}

/// How many false alarms a site accepts: which rules are searched for, and which of them act. 1 to 4.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Paranoia {
    /// Rules up to this level act.
    pub blocking: u8,
    /// Rules above `blocking` up to this level are found and recorded, and do not act; those above it are not loaded.
    pub executing: u8,
}

impl RuleSet {
    /// `sources`: every file, in order; they make the version. Of a path only the file's name and that of its
    /// folder count, so that the same rules have the same version wherever they are installed. `lists`: the digest of what else
    /// was read.
    pub(super) fn new(
        rules: Vec<Rule>,
        exceptions: Vec<Exception>,
        mentions: Vec<Mention>,
        sources: &[RuleFile],
        lists: &[Vec<u8>],
    ) -> Self {
        let mut hash = Sha256::new();
        // Lengths in front keep two different lists of files from hashing alike.
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        for RuleFile { path, content, .. } in sources {
            let family = path.parent().and_then(Path::file_name).unwrap_or_default();
            let topic = path.file_name().unwrap_or_default();
            add(family.to_string_lossy().as_bytes());
            add(topic.to_string_lossy().as_bytes());
            add(content.as_bytes());
        }
        lists.iter().for_each(|list| add(list));
        let mut version = String::with_capacity(64);
        for byte in hash.finalize() {
            let _ = write!(version, "{byte:02x}");
        }
        let (headers, messages) = (headers(&rules, &exceptions), messages(&rules));
        let (rules, mentions) = (rules.into(), mentions.into());
        Self { rules, exceptions: exceptions.into(), headers, mentions, messages, version }
    }

    /// The rules that these levels let in, without those that are off everywhere.
    #[must_use]
    pub fn in_force(self, paranoia: Paranoia) -> Self {
        let is_in = |rule: &Rule| rule.paranoia <= paranoia.executing && !rule.is_off();
        let mut rules: Vec<Rule> = self.rules.into_iter().filter(is_in).collect();
        rules.iter_mut().for_each(|rule| rule.is_above_blocking = rule.paranoia > paranoia.blocking);
        let messages = messages(&rules);
        Self { rules: rules.into(), messages, ..self }
    }

    /// All exceptions, ended ones too.
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// Names of the request header fields that some rule, override or exception asks for, in lower case.
    pub fn headers(&self) -> &BTreeSet<String> {
        &self.headers
    }

    /// Names in the files that only the rest of the configuration knows.
    pub fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    /// True when some rule has a client told something.
    pub fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// What the rule of this id has a client told whose request it blocks.
    pub fn message(&self, id: &str) -> Option<&str> {
        self.messages.get(id).map(String::as_str)
    }

    /// The rule at an index; `None` for an index of another, larger rule set.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.get())
    }

    /// Looks a rule up by its id, for example `INJ-001`, one after the other: for people, not for requests.
    pub fn by_id(&self, id: &str) -> Option<(RuleIndex, &Rule)> {
        self.iter().find(|(_, rule)| rule.id == id)
    }

    /// All rules with their indices, in order of file and place.
    pub fn iter(&self) -> impl Iterator<Item = (RuleIndex, &Rule)> {
        self.rules.iter().enumerate().map(|(index, rule)| (RuleIndex(u32::try_from(index).unwrap_or(u32::MAX)), rule))
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True for a set without rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// SHA-256 over the names and contents of all files, in hex: what the verdict and the audit record carry.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The first 12 digits of [`RuleSet::version`], for people.
    pub fn version_short(&self) -> &str {
        self.version.get(..12).unwrap_or(&self.version)
    }
}

fn headers(rules: &[Rule], exceptions: &[Exception]) -> BTreeSet<String> {
    let of_rules = rules.iter().flat_map(|rule| {
        let overrides = rule.overrides.iter().map(|change| &change.reach.scope);
        std::iter::once(&rule.scope).chain(overrides)
    });
    let scopes = of_rules.chain(exceptions.iter().map(Exception::scope));
    scopes.flat_map(|scope| scope.headers.iter().map(|(name, _)| name.clone())).collect()
}

fn messages(rules: &[Rule]) -> HashMap<String, String> {
    rules.iter().filter_map(|rule| Some((rule.id.clone(), rule.message.clone()?))).collect()
}

/// One checked rule. Values cannot be wrong here: whatever a file may say wrongly is a diagnostic before.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// Stable id, `INJ-001`: never reused.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// More words; may be empty.
    pub description: String,
    /// The topic it belongs to.
    pub family: Family,
    /// How bad a match is.
    pub severity: Severity,
    /// How sure a match is what the title says.
    pub confidence: Confidence,
    /// 1 to 4: how much false alarm a site must accept for this rule to be in force.
    pub paranoia: u8,
    /// `owasp:…`, `atlas:…`, `cwe:…`.
    pub tags: Vec<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Judges texts on their way to the provider.
    pub on_request: bool,
    /// Judges replies.
    pub on_reply: bool,
    /// Whose texts it judges.
    pub roles: Roles,
    /// What else it asks of the exchange and of the passage.
    #[serde(flatten)]
    pub scope: Scope,
    /// Whether it acts, only counts, or is off.
    pub mode: Mode,
    /// Points of a match; `None`: those of its severity.
    pub score: Option<u32>,
    /// The name in the tokens that stand in for its matches and are put back in the reply; `None`: they are masked for good.
    pub token: Option<String>,
    /// Its paranoia level is searched for and does not act.
    pub is_above_blocking: bool,
    /// What a site changes about it in some exchanges, in order.
    #[serde(skip)]
    pub(super) overrides: Vec<Override>,
    /// Positions of the exceptions that name it.
    #[serde(skip)]
    pub(super) exceptions: Vec<usize>,
    /// Ids of the rules that keep it from acting where their matches cover its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed_by: Vec<String>,
    /// Which reading of the text its patterns judge that do not say themselves.
    pub target: Target,
    /// Lower and upper case are told apart (ASCII), by the patterns that do not say themselves.
    pub case_sensitive: bool,
    /// The encodings and disguises that are undone for it.
    pub transforms: Transforms,
    /// What it looks for, as it stands in the file.
    #[serde(rename = "patterns")]
    pub written: Vec<Written>,
    /// What it looks for; any of them matches, unless there is a condition.
    #[serde(skip)]
    pub(crate) patterns: Vec<Pattern>,
    /// What must hold of the patterns' matches in one text.
    pub condition: Option<Condition>,
    /// All must accept the matched text.
    pub validators: Vec<Validator>,
    /// The regex group that is the finding; 0 is the whole match.
    pub capture: usize,
    /// What it demands whatever the score is; `None`: it only adds points.
    pub action: Option<Action>,
    /// The model that it routes to, or the throttle that it puts on whoever calls.
    pub to: Option<String>,
    /// Line and column of that name.
    #[serde(skip)]
    pub to_place: Option<(usize, usize)>,
    /// Stands in for the finding when it is redacted.
    pub mask: Option<String>,
    /// What a client is told whose request it blocks.
    pub message: Option<String>,
    /// The matched text must not appear in the record.
    pub sensitive: bool,
    /// In a stream, judged only when the block of text is complete: it cannot hold text back.
    pub block_end: bool,
    /// What the linter finds in it and is meant so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint: Option<Allowed>,
    /// Texts it must find, and texts it must not.
    #[serde(skip)]
    pub examples: Vec<Example>,
    /// The file it stands in.
    pub file: PathBuf,
    /// The line of its `id`, from 1.
    pub line: u64,
}

impl Rule {
    /// Points that a match adds to the anomaly score.
    pub fn points(&self) -> u32 {
        self.score.unwrap_or(self.severity.points())
    }

    fn is_off(&self) -> bool {
        self.mode == Mode::Off && self.overrides.iter().all(|change| change.mode.is_none_or(|mode| mode == Mode::Off))
    }

    /// True when the rule judges texts of this role that travel this way.
    pub fn applies(&self, direction: Direction, role: Role) -> bool {
        let way = match direction {
            Direction::Reply => self.on_reply,
            Direction::Request => self.on_request,
        };
        way && self.roles.contains(role)
    }

    /// True when the rule judges a text that is what undoing these encodings has made, outermost first.
    pub fn reads(&self, encodings: &[&str]) -> bool {
        self.transforms.reads(encodings)
    }
}

/// Whether a rule's matches act.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They act.
    #[default]
    Enforce,
    /// It does not look.
    Off,
    /// They are recorded and counted, and do nothing else.
    Shadow,
}

/// How sure a match of a rule is what its title says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Often something else.
    Low,
    /// Mostly.
    Medium,
    /// Nearly always.
    High,
}

/// How a pattern is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// A text, matched byte for byte.
    Literal,
    /// A regular expression.
    Regex,
    /// A file of literals.
    List,
    /// Parts near each other, in any order.
    Near,
    /// Parts in order.
    Sequence,
    /// One part several times.
    Count,
}

/// One checked pattern, ready to be built into a scanner. A list makes as many of them as it has entries.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Its number in the rule, as written: the entries of a list share one.
    pub(crate) number: u16,
    /// Which reading of the text it judges.
    pub(crate) target: Target,
    /// Lower and upper case are told apart (ASCII).
    pub(crate) case_sensitive: bool,
    pub(super) what: What,
    /// Literals one of which is in every match.
    pub(crate) required: Option<Required>,
    /// Longest match in bytes; `None`: unbounded.
    pub(crate) length_max: Option<usize>,
}

/// What a pattern looks for.
#[derive(Debug)]
pub(super) enum What {
    Literal(Literal),
    /// Case, folding and word boundaries applied.
    Regex(Hir),
}

impl Pattern {
    /// Set for a literal: the folded text and whether it must stand as a word.
    pub(crate) fn literal(&self) -> Option<&Literal> {
        match &self.what {
            What::Literal(literal) => Some(literal),
            What::Regex(_) => None,
        }
    }

    /// What is matched, as an expression. That of a literal is made here: a list has a hundred thousand.
    pub(crate) fn hir(&self) -> Cow<'_, Hir> {
        match &self.what {
            What::Literal(literal) => Cow::Owned(literal.hir(self.case_sensitive)),
            What::Regex(hir) => Cow::Borrowed(hir),
        }
    }
}

/// A pattern as it stands in the file, for people.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Written {
    /// How it is written.
    pub kind: PatternKind,
    /// Its name, for the rule's condition.
    pub name: Option<String>,
    /// The text, the regex, the list's path with the number of its entries, or the combined parts in one line.
    pub text: String,
    /// Line and column of that text in the file; of combined parts, of the first.
    #[serde(skip)]
    pub place: (usize, usize),
}

/// A literal pattern.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    /// The text to find, canonical where the rule judges canonical text.
    pub(crate) text: String,
    /// It must not touch another ASCII word character where its own edge is one.
    pub(crate) word: bool,
}

impl Literal {
    /// True where it stands as far as there is text: `there` has no more bytes than it has.
    pub(crate) fn begins(&self, there: &[u8], case_sensitive: bool) -> bool {
        let own = self.text.as_bytes().get(..there.len());
        own.is_some_and(|own| if case_sensitive { own == there } else { own.eq_ignore_ascii_case(there) })
    }

    /// What is equal of texts that may be the same literal.
    pub(crate) fn fold(byte: u8) -> u8 {
        byte.to_ascii_lowercase()
    }
}

/// Which reading of a text a rule judges.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Canonical text: look-alikes folded, invisible characters gone.
    Canonical,
    /// The text as it was sent.
    Raw,
}

/// A text that a rule must find, or must not.
#[derive(Clone, Debug)]
pub struct Example {
    /// The text.
    pub text: String,
    /// The role it is scanned as; `None`: one that the rule applies to.
    pub role: Option<Role>,
    /// True: the rule must find something in it.
    pub is_match: bool,
    /// The exact original text of the finding.
    pub found: Option<String>,
    /// What the classifier is taken to say of it; unknown where the example says nothing.
    pub scores: Scores,
    /// Line in the rule's file, from 1.
    pub line: u64,
}
