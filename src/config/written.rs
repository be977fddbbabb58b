//! A configuration as it is written: its text and the environment over it, both of one moment. A reload reads it anew,
//! and a kept policy is read from it again.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::load::{CODES, DEFAULT, Loaded, Readable};
use super::{PolicyConfig, env, policy, sections};
use crate::yaml::Diagnostics;
use crate::yaml::advice::advice;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{self, Node, Value};

/// The sections that a running appliance takes over; all others need a restart.
const RELOADED: [&str; 2] = ["rules", "policy"];

/// Where the configuration comes from, for as long as the process lives.
#[derive(Clone)]
pub struct Source {
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

impl fmt::Debug for Source {
    /// The environment holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Source {
    /// `file`: `None` is the shipped example, with paths relative to the working folder.
    pub fn new(file: Option<PathBuf>, environment: Vec<(String, String)>) -> Self {
        Self { file, environment }
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads the text as it stands now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> Result<Written, Diagnostics> {
        let environment = self.environment.clone();
        let Some(path) = &self.file else {
            let name = PathBuf::from("(built-in portcullis.yaml)");
            return Ok(Written { name, content: DEFAULT.to_owned(), base: PathBuf::new(), environment });
        };
        match fs::read_to_string(path) {
            Ok(content) => {
                let base = path.parent().map(Path::to_owned).unwrap_or_default();
                Ok(Written { name: path.clone(), content, base, environment })
            }
            Err(error) => {
                let mut found = Diagnostics::default();
                let help = "name an existing UTF-8 file with --config, or copy portcullis.yaml from the project";
                let message = format!("the configuration cannot be read: {error}");
                Reporter::new(path, "", CODES, &mut found).error("C002", None, message, help);
                Err(found)
            }
        }
    }
}

/// The text of a configuration at one moment.
#[derive(Clone)]
pub struct Written {
    name: PathBuf,
    content: String,
    base: PathBuf,
    environment: Vec<(String, String)>,
}

impl fmt::Debug for Written {
    /// The environment holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The sections that a reload takes over.
#[derive(Debug)]
pub struct PolicySections {
    /// Folders of rule files.
    pub rules: Vec<PathBuf>,
    /// What is decided.
    pub policy: PolicyConfig,
}

impl Written {
    /// A text that was kept, with what of the environment belongs to it.
    pub fn kept(name: PathBuf, content: String, environment: Vec<(String, String)>) -> Self {
        let base = name.parent().map(Path::to_owned).unwrap_or_default();
        Self { name, content, base, environment }
    }

    /// The file's name.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The file's text.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The variables that change what a reload takes over. None of these sections holds a secret.
    pub fn policy_environment(&self) -> Vec<(String, String)> {
        let is_policy = |name: &str| env::section(name).is_some_and(|section| RELOADED.contains(&section.as_str()));
        self.environment.iter().filter(|(name, _)| is_policy(name)).cloned().collect()
    }

    /// The whole configuration.
    ///
    /// # Errors
    /// Everything that is wrong, with file, line, column and what to write.
    pub fn load(&self) -> Result<Loaded, Diagnostics> {
        let mut found = Diagnostics::default();
        let mut report = Reporter::new(&self.name, &self.content, CODES, &mut found);
        let Some(tree) = self.tree(&mut report) else { return Err(found) };
        let config = sections::read(&tree, &self.base, &|name| self.variable(name), &mut report);
        let errors = report.error_count();
        match config {
            Some(config) if errors == 0 => Ok(Loaded { config, warnings: found.warnings, written: self.clone() }),
            _ => Err(found),
        }
    }

    /// What a reload takes over, whatever the other sections say.
    ///
    /// # Errors
    /// Everything that is wrong in these sections.
    pub fn policy(&self) -> Result<PolicySections, Diagnostics> {
        let mut found = Diagnostics::default();
        let mut report = Reporter::new(&self.name, &self.content, CODES, &mut found);
        let Some(tree) = self.tree(&mut report) else { return Err(found) };
        let mut section = |name: &str| {
            let node = entry(&tree, name);
            if node.is_none() {
                let message = format!("the configuration has no `{name}`");
                report.error(CODES.missing, None, message, "write the section");
            }
            node
        };
        let (rules, policy) = (section("rules"), section("policy"));
        let rules = rules.and_then(|node| sections::rules(node, &self.base, &mut report));
        let policy = policy.and_then(|node| policy::read(node, &mut report));
        match (rules, policy) {
            (Some(rules), Some(policy)) if found.errors.is_empty() => {
                Ok(PolicySections { rules: rules.folders, policy })
            }
            _ => Err(found),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The sections of a broken configuration that are well by themselves.
    pub(super) fn readable(&self) -> Readable {
        let mut found = Diagnostics::default();
        let mut report = Reporter::new(&self.name, &self.content, CODES, &mut found);
        match self.tree(&mut report) {
            Some(tree) => sections::readable(&tree, &self.base, &|name| self.variable(name), &mut report),
            None => Readable::default(),
        }
    }

    /// The keys that differ from this text to another one and that a running appliance cannot take over.
    pub fn needs_restart(&self, now: &Self) -> Vec<String> {
        let mut unread = Diagnostics::default();
        let mut tree = |text: &Self| text.tree(&mut Reporter::new(&text.name, &text.content, CODES, &mut unread));
        let (Some(before), Some(after)) = (tree(self), tree(now)) else { return Vec::new() };
        let mut changed = Vec::new();
        differ(&before, &after, "", &mut changed);
        changed.retain(|key| !RELOADED.iter().any(|section| key.split('.').next() == Some(section)));
        changed
    }

    fn tree(&self, report: &mut Reporter<'_>) -> Option<Node> {
        match node::parse(&self.content) {
            Ok(mut tree) => {
                env::overlay(&mut tree, &self.environment, report);
                Some(tree)
            }
            Err((place, message)) => {
                let help = advice(&message);
                report.error(CODES.broken, place, message, help);
                None
            }
        }
    }
}

fn entry<'n>(tree: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &tree.value else { return None };
    entries.iter().find(|(known, ..)| known == key).map(|(.., node)| node)
}

/// Collects the dotted keys under which two trees differ. A key that is missing is as good as one without a value.
fn differ(before: &Node, after: &Node, path: &str, changed: &mut Vec<String>) {
    let (Value::Map(old), Value::Map(new)) = (&before.value, &after.value) else {
        if !same(&before.value, &after.value) {
            changed.push(path.to_owned());
        }
        return;
    };
    let absent = Node { place: (1, 1), value: Value::Null };
    let added = new.iter().map(|(key, ..)| key).filter(|key| entry(before, key).is_none());
    for key in old.iter().map(|(key, ..)| key).chain(added) {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let (old, new) = (entry(before, key).unwrap_or(&absent), entry(after, key).unwrap_or(&absent));
        differ(old, new, &below, changed);
    }
}

fn same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Number(a, _), Value::Number(b, _)) | (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.value, &b.value))
        }
        (Value::Map(a), Value::Map(b)) => {
            let find = |key: &str| b.iter().find(|(known, ..)| known == key).map(|(.., node)| &node.value);
            a.len() == b.len() && a.iter().all(|(key, _, node)| find(key).is_some_and(|b| same(&node.value, b)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &str) -> Written {
        written_with(content, &[])
    }

    fn written_with(content: &str, environment: &[(&str, &str)]) -> Written {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Written::kept(PathBuf::from("here/portcullis.yaml"), content.to_owned(), environment)
    }

    #[test]
    fn what_a_reload_cannot_take_over_is_named() {
        let changed = |changes: &[(&str, &str)]| {
            let mut content = DEFAULT.to_owned();
            for (from, to) in changes {
                assert!(content.contains(from), "{from}");
                content = content.replacen(from, to, 1);
            }
            written(DEFAULT).needs_restart(&written(&content))
        };
        assert_eq!(changed(&[("# Portcullis", "# Another comment")]), [] as [String; 0]);
        assert_eq!(
            changed(&[("folders: [rules]", "folders: [a, b]"), ("block_end: release", "block_end: hold")]),
            [] as [String; 0]
        );
        assert_eq!(changed(&[("127.0.0.1:8080", "127.0.0.1:1")]), ["server.data"]);
        assert_eq!(changed(&[("keys: []", "keys: [{ id: a, tenant: b, sha256: c }]")]), ["access.keys"]);
        assert_eq!(changed(&[("models: [demo]", "models: [other]")]), ["providers"]);
        assert_eq!(changed(&[("# limits:", "limits:\n  model_ms: 1\n#")]), ["limits"]);
        assert_eq!(
            changed(&[("# node: box-1", "node: box-1"), ("threads: 0", "threads: 2")]),
            ["model.threads", "node"]
        );
        // A key without a value is a key that is not there.
        assert_eq!(changed(&[("# node: box-1", "node: ")]), [] as [String; 0]);
    }

    #[test]
    fn a_kept_text_gives_its_policy_whatever_else_it_says() {
        let broken = DEFAULT.replacen("127.0.0.1:8080", "nowhere", 1);
        let policy = written(&broken).policy().unwrap();
        assert_eq!(policy.rules, [PathBuf::from("here/rules")]);
        assert!(!policy.policy.record_full_text);
        let environment = [("PORTCULLIS_POLICY__RECORD__TEXT", "full"), ("PORTCULLIS_RULES__FOLDERS", "[x]")];
        let full = written_with(&broken, &environment);
        assert!(full.policy().unwrap().policy.record_full_text);
        assert_eq!(full.policy().unwrap().rules, [PathBuf::from("here/x")]);
        assert_eq!(full.policy_environment().len(), 2);
        assert_eq!(written_with("", &[("PORTCULLIS_STATE", "x"), ("PATH", "y")]).policy_environment(), []);
        let found = written(&DEFAULT.replacen("block_end: release", "block_end: maybe", 1)).policy().unwrap_err();
        assert_eq!(found.errors.len(), 1, "{found}");
        assert!(written("policy: {}").policy().is_err());
        assert!(written("rules: { folders: [x] }").policy().is_err());
        assert!(written(": : :").policy().is_err());
    }

    #[test]
    fn nothing_of_the_environment_is_shown() {
        let source = Source::new(None, vec![("KEY".to_owned(), "sk-secret".to_owned())]);
        let shown = format!("{source:?} {:?}", source.read().unwrap());
        assert!(!shown.contains("sk-secret"), "{shown}");
    }
}
