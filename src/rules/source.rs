//! Rules as they are written: keys and types checked, meanings not yet.

mod defaults;
pub(super) mod lint;
pub(super) mod pattern;

use self::lint::LintSource;
use self::pattern::{Form, PatternSource};
use super::applies::{self, Scope};
use super::overlay::{self, Overlay};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Place, Value};
use crate::yaml::table::{At, Table, boolean, list, number, text, texts};

/// A text with its place.
pub(super) type Text = At<String>;

/// One file.
#[derive(Debug)]
pub(super) struct FileSource {
    pub(super) family: Option<Text>,
    pub(super) variables: Vec<VariableSource>,
    pub(super) rules: Vec<RuleSource>,
    pub(super) overlay: Overlay,
    /// True for a file that holds overrides or exceptions, and so may hold no rule.
    pub(super) is_overlay: bool,
}

impl FileSource {
    /// True when some pattern is a list.
    pub(super) fn names_lists(&self) -> bool {
        let mut patterns = self.rules.iter().filter_map(|rule| rule.patterns.as_ref()).flatten();
        patterns.any(|pattern| matches!(pattern.form, Form::List(_)))
    }

    /// All tags of its rules.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| rule.tags.as_ref()).flatten().map(|tag| tag.value.as_str())
    }
}

/// One variable of a file.
#[derive(Debug)]
pub(super) struct VariableSource {
    pub(super) name: Text,
    /// A piece of regex, or words any of which may stand there.
    pub(super) value: VariableValue,
}

#[derive(Debug)]
pub(super) enum VariableValue {
    Regex(Text),
    Words(Place, Vec<Text>),
}

/// One rule. `None`: missing or of a wrong type, both reported.
#[derive(Debug)]
pub(super) struct RuleSource {
    pub(super) place: Place,
    /// Keys that come from the file's defaults.
    pub(super) inherited: Vec<String>,
    pub(super) id: Option<Text>,
    pub(super) title: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) severity: Option<Text>,
    pub(super) confidence: Option<Text>,
    pub(super) paranoia: Option<At<usize>>,
    pub(super) tags: Option<Vec<Text>>,
    pub(super) references: Vec<Text>,
    pub(super) direction: Option<Text>,
    pub(super) roles: Option<Vec<Text>>,
    pub(super) scope: Scope,
    pub(super) mode: Option<Text>,
    pub(super) score: Option<u32>,
    pub(super) token: Option<Text>,
    /// The rules that an allowing rule quiets.
    pub(super) allows: Vec<Text>,
    pub(super) on: Option<Text>,
    pub(super) case: Option<Text>,
    pub(super) word: Option<bool>,
    pub(super) transforms: Option<At<Vec<Text>>>,
    pub(super) patterns: Option<Vec<PatternSource>>,
    pub(super) condition: Option<Text>,
    pub(super) validators: Vec<Text>,
    pub(super) capture: Option<At<usize>>,
    pub(super) action: Option<Text>,
    /// The model or the throttle that the action names.
    pub(super) to: Option<Text>,
    pub(super) mask: Option<Text>,
    pub(super) message: Option<Text>,
    pub(super) sensitive: bool,
    pub(super) stream: Option<Text>,
    pub(super) lint: Option<LintSource>,
    pub(super) examples: Option<ExamplesSource>,
}

impl RuleSource {
    /// True when a key stands in the rule itself: what all rules of the file are given need not fit each of them.
    pub(super) fn owns(&self, key: &str) -> bool {
        !self.inherited.iter().any(|inherited| inherited == key)
    }
}

#[derive(Debug)]
pub(super) struct ExamplesSource {
    /// The texts that must be found, and where their list stands; that of all examples, where there is none.
    pub(super) matching: (Place, Vec<ExampleSource>),
    /// The same for those that must pass.
    pub(super) passing: (Place, Vec<ExampleSource>),
}

#[derive(Debug)]
pub(super) struct ExampleSource {
    pub(super) text: Text,
    pub(super) role: Option<Text>,
    pub(super) found: Option<Text>,
    /// What the classifier says of the text, for rules that ask: name and probability.
    pub(super) score: Vec<(Text, Node)>,
}

/// Reads a file's tree.
pub(super) fn read(node: &Node, report: &mut Reporter<'_>) -> Option<FileSource> {
    let table = Table::open(node, "a rule file", &FILE_KEYS, report)?;
    let tenants = applies::names_at(&table, "tenants", report);
    let is_overlay = overlay::KEYS.iter().any(|key| table.get(key).is_some());
    let overlay = overlay::read(&table, &tenants, report);
    let has_rules = !is_overlay || table.get("family").or(table.get("rules")).is_some();
    let needed = |key, report: &mut Reporter<'_>| if has_rules { table.needed(key, report) } else { None };
    let family = needed("family", report).and_then(|node| text(node, "family", report));
    let rules = needed("rules", report).and_then(|node| list(node, "rules", report));
    let variables = table.get("variables").map(|node| variables(node, report)).unwrap_or_default();
    let defaults = table.get("defaults").map(|node| defaults::open(node, &RULE_KEYS, report)).unwrap_or_default();
    let rules = rules.unwrap_or_default().iter().filter_map(|node| {
        let (node, inherited) = defaults::inherit(node, &defaults);
        rule(&node, inherited, &tenants, report)
    });
    Some(FileSource { family, variables, rules: rules.collect(), overlay, is_overlay })
}

/// The keys of a file.
pub(super) const FILE_KEYS: [&str; 7] =
    ["family", "variables", "defaults", "rules", "tenants", "overrides", "exceptions"];

fn variables(node: &Node, report: &mut Reporter<'_>) -> Vec<VariableSource> {
    let Value::Map(pairs) = &node.value else {
        let message = format!("variables must be a mapping (`name: value` lines), not {}", node.value.kind());
        report.error("R006", node.place, message, "write `variables: { pronoun: [your, my, the] }`");
        return Vec::new();
    };
    let read = |(name, place, node): &(String, Place, Node)| {
        let value = match &node.value {
            Value::List(_) => VariableValue::Words(node.place, texts(node, "a variable", report)?),
            _ => VariableValue::Regex(text(node, "a variable", report)?),
        };
        Some(VariableSource { name: At { place: *place, value: name.clone() }, value })
    };
    pairs.iter().filter_map(read).collect()
}

/// The keys of a rule.
pub(super) const RULE_KEYS: [&str; 28] = [
    "id",
    "title",
    "description",
    "severity",
    "confidence",
    "paranoia",
    "tags",
    "references",
    "applies",
    "on",
    "case",
    "word",
    "transforms",
    "patterns",
    "condition",
    "validators",
    "capture",
    "action",
    "mode",
    "score",
    "allows",
    "token",
    "mask",
    "message",
    "sensitive",
    "stream",
    "lint",
    "examples",
];

fn rule(node: &Node, inherited: Vec<String>, tenants: &[Text], report: &mut Reporter<'_>) -> Option<RuleSource> {
    let table = Table::open(node, "a rule", &RULE_KEYS, report)?;
    let applies = table.needed("applies", report);
    let known: Vec<&str> = ["direction", "roles"].into_iter().chain(applies::KEYS).collect();
    let applies = applies.and_then(|node| Table::open(node, "applies", &known, report));
    let (direction, roles, mut scope) = match &applies {
        Some(applies) => (
            applies.needed("direction", report).and_then(|node| text(node, "direction", report)),
            applies.get("roles").and_then(|node| texts(node, "roles", report)),
            applies::read(applies, report),
        ),
        None => (None, None, Scope::default()),
    };
    overlay::narrow(&mut scope, tenants, applies.as_ref().map_or(node.place, |applies| applies.place), report);
    let patterns = table.needed("patterns", report).and_then(|node| list(node, "patterns", report));
    let action = table.needed("action", report).and_then(|node| action(node, report));
    let (action, to) = action.unzip();
    let patterns = patterns.map(|nodes| nodes.iter().filter_map(|node| pattern::pattern(node, report)).collect());
    Some(RuleSource {
        place: node.place,
        inherited,
        id: table.needed("id", report).and_then(|node| text(node, "id", report)),
        title: table.needed("title", report).and_then(|node| text(node, "title", report)),
        description: table.get("description").and_then(|node| text(node, "description", report)),
        severity: table.needed("severity", report).and_then(|node| text(node, "severity", report)),
        confidence: table.get("confidence").and_then(|node| text(node, "confidence", report)),
        paranoia: table.get("paranoia").and_then(|node| number(node, "paranoia", report)),
        tags: table.needed("tags", report).and_then(|node| texts(node, "tags", report)),
        references: table.get("references").and_then(|node| texts(node, "references", report)).unwrap_or_default(),
        direction,
        roles,
        scope,
        mode: table.get("mode").and_then(|node| text(node, "mode", report)),
        score: table.get("score").and_then(|node| overlay::score(node, report)),
        token: table.get("token").and_then(|node| text(node, "token", report)),
        allows: applies::names_at(&table, "allows", report),
        on: table.get("on").and_then(|node| text(node, "on", report)),
        case: table.get("case").and_then(|node| text(node, "case", report)),
        word: table.get("word").and_then(|node| boolean(node, "word", report)),
        transforms: table.get("transforms").and_then(|node| transforms(node, report)),
        patterns,
        condition: table.get("condition").and_then(|node| text(node, "condition", report)),
        validators: table.get("validators").and_then(|node| texts(node, "validators", report)).unwrap_or_default(),
        capture: table.get("capture").and_then(|node| number(node, "capture", report)),
        action,
        to: to.flatten(),
        mask: table.get("mask").and_then(|node| text(node, "mask", report)),
        message: table.get("message").and_then(|node| text(node, "message", report)),
        sensitive: table.get("sensitive").and_then(|node| boolean(node, "sensitive", report)).unwrap_or(false),
        stream: table.get("stream").and_then(|node| text(node, "stream", report)),
        lint: table.get("lint").and_then(|node| lint::read(node, report)),
        examples: table.needed("examples", report).and_then(|node| examples(node, report)),
    })
}

/// A list of names, or one word (`none`).
fn transforms(node: &Node, report: &mut Reporter<'_>) -> Option<At<Vec<Text>>> {
    let value = match &node.value {
        Value::List(_) => texts(node, "transforms", report)?,
        _ => vec![text(node, "transforms", report)?],
    };
    Some(At { place: node.place, value })
}

/// A word, or `{ route: MODEL }` or `{ throttle: NAME }`.
fn action(node: &Node, report: &mut Reporter<'_>) -> Option<(Text, Option<Text>)> {
    if !matches!(node.value, Value::Map(_)) {
        return Some((text(node, "action", report)?, None));
    }
    let table = Table::open(node, "action", &["route", "throttle"], report)?;
    let named = ["route", "throttle"].into_iter().filter_map(|word| Some((word, table.get(word)?)));
    let named: Vec<(&str, &Node)> = named.collect();
    let [(word, name)] = named.as_slice() else {
        let help = "write `action: { route: MODEL }` or `action: { throttle: NAME }`";
        report.error("R045", node.place, "an action names one model or one throttle", help);
        return None;
    };
    let name = text(name, word, report)?;
    Some((Text { place: node.place, value: (*word).to_owned() }, Some(name)))
}

fn examples(node: &Node, report: &mut Reporter<'_>) -> Option<ExamplesSource> {
    let table = Table::open(node, "examples", &["match", "pass"], report)?;
    let mut read = |key: &'static str| -> (Place, Vec<ExampleSource>) {
        let of_key = table.get(key);
        let nodes = of_key.and_then(|node| list(node, key, report)).unwrap_or_default();
        let place = of_key.map_or(node.place, |of_key| of_key.place);
        (place, nodes.iter().filter_map(|node| example(node, report)).collect())
    };
    Some(ExamplesSource { matching: read("match"), passing: read("pass") })
}

fn example(node: &Node, report: &mut Reporter<'_>) -> Option<ExampleSource> {
    if let Value::Map(_) = node.value {
        let table = Table::open(node, "an example", &["text", "role", "found", "score"], report)?;
        return Some(ExampleSource {
            text: table.needed("text", report).and_then(|node| text(node, "text", report))?,
            role: table.get("role").and_then(|node| text(node, "role", report)),
            found: table.get("found").and_then(|node| text(node, "found", report)),
            score: table.get("score").map(|node| scores(node, report)).unwrap_or_default(),
        });
    }
    Some(ExampleSource { text: text(node, "an example", report)?, role: None, found: None, score: Vec::new() })
}

fn scores(node: &Node, report: &mut Reporter<'_>) -> Vec<(Text, Node)> {
    let Value::Map(pairs) = &node.value else {
        let message = format!("score must be a mapping, not {}", node.value.kind());
        report.error("R006", node.place, message, "write what the classifier says of the text: `{ injection: 0.9 }`");
        return Vec::new();
    };
    pairs.iter().map(|(name, place, node)| (At { place: *place, value: name.clone() }, node.clone())).collect()
}
