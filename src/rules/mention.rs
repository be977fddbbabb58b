//! Names in rule files that only the rest of the configuration knows: routes, models, throttles, tenants, keys. The rule set
//! carries them with their places, so that whoever knows the configuration can say which of them nobody has.

use std::path::{Path, PathBuf};

use super::glob::Glob;
use crate::yaml::diagnostic::{Diagnostic, lines};
use crate::yaml::node::{Node, Place, Value};
use crate::yaml::suggest;

/// Names that are listed where none is near the one that is written.
const LISTED: usize = 12;

/// What a name is the name of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MentionKind {
    /// A client key, by its id.
    Key,
    /// A model that a rule routes to.
    Model,
    /// A route; `*` stands for any run of characters.
    Route,
    /// A tenant.
    Tenant,
    /// A throttle of the policy.
    Throttle,
}

/// One name in one place.
#[derive(Clone, Debug)]
pub struct Mention {
    /// What it names.
    pub kind: MentionKind,
    /// The name as written.
    pub name: String,
    /// The file it stands in.
    pub file: PathBuf,
    /// Line and column from 1, the column in characters.
    pub place: (usize, usize),
    line_text: Option<String>,
}

impl Mention {
    /// True when one of these names is meant.
    pub fn is_one_of(&self, known: &[&str]) -> bool {
        match self.kind {
            MentionKind::Route => known.iter().any(|name| Glob::new(self.name.as_str()).fits(name)),
            _ => known.contains(&self.name.as_str()),
        }
    }

    /// A problem with it, with the nearest of the names that there are.
    pub fn problem(&self, code: &'static str, message: String, known: &[&str]) -> Diagnostic {
        let help = match suggest::nearest(&self.name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => {
                let more = if known.len() > LISTED { " …" } else { "" };
                format!("there is: {}{more}", known.iter().take(LISTED).copied().collect::<Vec<_>>().join(", "))
            }
        };
        let (file, place, line_text) = (self.file.clone(), Some(self.place), self.line_text.clone());
        Diagnostic { code, file, place, message, help, line_text }
    }
}

/// All of them in one file, in order. What is of a wrong type is reported elsewhere.
pub(super) fn read(node: &Node, file: &Path, content: &str) -> Vec<Mention> {
    let mut found: Vec<(MentionKind, &str, Place)> = names(node, "tenants", MentionKind::Tenant);
    let lists = ["rules", "overrides", "exceptions"].into_iter().filter_map(|key| member(node, key));
    let all = lists.flat_map(|node| match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => &[],
    });
    for one in member(node, "defaults").into_iter().chain(all) {
        if let Some(applies) = member(one, "applies") {
            for (key, kind) in
                [("routes", MentionKind::Route), ("tenants", MentionKind::Tenant), ("keys", MentionKind::Key)]
            {
                found.extend(names(applies, key, kind));
            }
        }
        if let Some(action) = member(one, "action") {
            for (key, kind) in [("route", MentionKind::Model), ("throttle", MentionKind::Throttle)] {
                found.extend(member(action, key).and_then(|node| name(node, kind)));
            }
        }
    }
    found.sort_by_key(|(.., place)| *place);
    let texts: Vec<&str> = if found.is_empty() { Vec::new() } else { lines(content).collect() };
    let mention = |(kind, name, place): (MentionKind, &str, Place)| Mention {
        kind,
        name: name.to_owned(),
        file: file.to_owned(),
        place,
        line_text: texts.get(place.0.saturating_sub(1)).map(|line| (*line).to_owned()),
    };
    found.into_iter().map(mention).collect()
}

fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(pairs) = &node.value else { return None };
    pairs.iter().find(|(name, ..)| name == key).map(|(.., node)| node)
}

fn names<'n>(node: &'n Node, key: &str, kind: MentionKind) -> Vec<(MentionKind, &'n str, Place)> {
    let Some(Node { value: Value::List(nodes), .. }) = member(node, key) else { return Vec::new() };
    nodes.iter().filter_map(|node| name(node, kind)).collect()
}

fn name(node: &Node, kind: MentionKind) -> Option<(MentionKind, &str, Place)> {
    match &node.value {
        Value::Text(text) | Value::Number(text, _) => Some((kind, text, node.place)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_where_it_stands() {
        let content = "tenants: [acme]\ndefaults: { applies: { keys: [k1] } }\nrules:\n  - applies:\n      routes: [chat_*, 'x y']\n    action: { throttle: slow }\n  - action: { route: big }\n  - action: block\noverrides:\n  - applies: { tenants: [7] }\nexceptions:\n  - applies: { routes: [a] }\n";
        let node = crate::yaml::node::parse(content).unwrap();
        let found = read(&node, Path::new("f.yaml"), content);
        let told: Vec<_> = found.iter().map(|one| (one.kind, one.name.as_str(), one.place)).collect();
        let expected = [
            (MentionKind::Tenant, "acme", (1, 11)),
            (MentionKind::Key, "k1", (2, 31)),
            (MentionKind::Route, "chat_*", (5, 16)),
            (MentionKind::Route, "x y", (5, 24)),
            (MentionKind::Throttle, "slow", (6, 25)),
            (MentionKind::Model, "big", (7, 22)),
            (MentionKind::Tenant, "7", (10, 26)),
            (MentionKind::Route, "a", (12, 25)),
        ];
        assert_eq!(told, expected);
        assert!(found[2].is_one_of(&["chat_completions"]) && !found[3].is_one_of(&["x"]));
        let problem = found[4].problem("R048", "m".to_owned(), &["slo", "quick"]);
        assert_eq!((problem.place, problem.help.as_str()), (Some((6, 25)), "did you mean `slo`?"));
        assert_eq!(problem.line_text.as_deref(), Some("    action: { throttle: slow }"));
        let many: Vec<String> = (0..LISTED + 1).map(|number| format!("tenant-{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(found[0].problem("W021", String::new(), &many).help.ends_with("tenant-11 …"));
        assert!(found[0].problem("W021", String::new(), &many[1..]).help.ends_with("tenant-12"));
    }
}
