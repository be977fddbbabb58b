//! Where a rule, an override or an exception applies: beyond direction and role, the facts of the exchange and the passage's
//! own place.
//!
//! A pure filter over what the scanner found: it never changes what is held back in a stream, only what a match means.

use std::fmt;

use serde::Serialize;

use super::glob::{FieldGlob, Glob};
use super::roles::Roles;
use crate::base::limits::rules as limits;
use crate::text::{Direction, Passage, Role, Trust};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::{Node, Value};
use crate::yaml::suggest;
use crate::yaml::table::{At, Table, list, shown, text, texts};

/// What is known of an exchange besides its texts. It comes in as a value; what is not known is `None`, and no rule that
/// asks for it applies.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The tenant of whoever calls.
    pub tenant: Option<String>,
    /// The public id of the client key that was presented.
    pub key: Option<String>,
    /// The model that the client named.
    pub model: Option<String>,
    /// The name of the route, for example `chat_completions`.
    pub route: Option<String>,
    /// Request header fields that some rule asks for ([`super::RuleSet::headers`]): name in lower case, value.
    pub headers: Vec<(String, String)>,
    /// The present day (UTC), by which exceptions end. `None`: no exception is in force.
    pub today: Option<jiff::civil::Date>,
    /// Random bytes of this exchange alone, for its tokens.
    pub salt: [u8; 8],
}

/// Where something applies. An empty list asks nothing; all that ask must agree, and of each list one must fit.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Scope {
    /// How far the passage's writer is trusted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Trust>,
    /// Names of tools whose arguments, results or definitions the passage belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Glob>,
    /// Models, as the client names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Glob>,
    /// Routes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Glob>,
    /// Tenants, whole names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Ids of client keys, whole names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Places in the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldGlob>,
    /// Request header fields, name in lower case, and what their values must look like (in any case). All must fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Glob)>,
}

/// What a scope decides where the tool of a passage is not known, because the call that it answers is not there or not the
/// only one of its id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum UnknownTool {
    /// It is taken for the tool that is asked for: a rule cannot be escaped by hiding the call.
    Fits,
    /// It is not: an exception needs to know.
    Misses,
}

impl Scope {
    /// True when it asks for nothing.
    pub fn is_everywhere(&self) -> bool {
        let Self { trust, tools, models, routes, tenants, keys, fields, headers } = self;
        trust.is_empty()
            && tools.is_empty()
            && models.is_empty()
            && routes.is_empty()
            && tenants.is_empty()
            && keys.is_empty()
            && fields.is_empty()
            && headers.is_empty()
    }

    /// True when the exchange is one that it asks for.
    pub fn fits_exchange(&self, facts: &Facts) -> bool {
        let glob = |globs: &[Glob], fact: &Option<String>| {
            globs.is_empty() || fact.as_ref().is_some_and(|fact| globs.iter().any(|glob| glob.fits(fact)))
        };
        let name = |names: &[String], fact: &Option<String>| {
            names.is_empty() || fact.as_ref().is_some_and(|fact| names.contains(fact))
        };
        let header = |(name, glob): &(String, Glob)| {
            facts.headers.iter().any(|(known, value)| known == name && glob.fits(&value.to_ascii_lowercase()))
        };
        glob(&self.models, &facts.model)
            && glob(&self.routes, &facts.route)
            && name(&self.tenants, &facts.tenant)
            && name(&self.keys, &facts.key)
            && self.headers.iter().all(header)
    }

    /// True when the passage is one that it asks for.
    pub(super) fn fits_passage(&self, direction: Direction, passage: &Passage<'_>, unknown: UnknownTool) -> bool {
        (self.trust.is_empty() || self.trust.contains(&passage.trust(direction)))
            && (self.tools.is_empty() || self.fits_tool(passage, unknown))
            && (self.fields.is_empty() || self.fields.iter().any(|field| field.fits(&passage.field())))
    }

    fn fits_tool(&self, passage: &Passage<'_>, unknown: UnknownTool) -> bool {
        let is_tools = matches!(passage.role, Role::ToolArguments | Role::ToolDefinition | Role::ToolResult);
        match &passage.tool {
            Some(name) => self.tools.iter().any(|glob| glob.fits(name)),
            None => is_tools && unknown == UnknownTool::Fits,
        }
    }
}

/// Where an override or an exception applies: direction and roles, and a scope.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// In requests, in replies.
    ways: (bool, bool),
    roles: Roles,
    pub(super) scope: Scope,
}

impl fmt::Display for Reach {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everywhere() {
            return f.write_str("everywhere");
        }
        let way = match self.ways {
            (true, false) => "requests",
            (false, true) => "replies",
            _ => "requests and replies",
        };
        let roles: Vec<&str> = self.roles.iter().map(Role::name).collect();
        write!(f, "in {way}, roles {}", roles.join(", "))?;
        if self.scope.is_everywhere() {
            return Ok(());
        }
        write!(f, ", {}", serde_json::to_string(&self.scope).map_err(|_| fmt::Error)?)
    }
}

impl Reach {
    /// True when it asks for nothing.
    pub(super) fn is_everywhere(&self) -> bool {
        self.ways == (true, true) && self.roles == Roles::all() && self.scope.is_everywhere()
    }

    /// True when it covers this passage of this exchange. What is not known is not covered.
    pub(super) fn covers(&self, facts: &Facts, direction: Direction, passage: &Passage<'_>) -> bool {
        let way = match direction {
            Direction::Reply => self.ways.1,
            Direction::Request => self.ways.0,
        };
        way && self.roles.contains(passage.role)
            && self.scope.fits_exchange(facts)
            && self.scope.fits_passage(direction, passage, UnknownTool::Misses)
    }
}

/// Reads the mapping under `applies` of an override or an exception; `None`: everywhere.
pub(super) fn read_reach(node: Option<&Node>, report: &mut Reporter<'_>) -> Reach {
    let mut reach = Reach { ways: (true, true), roles: Roles::all(), scope: Scope::default() };
    let known: Vec<&str> = ["direction", "roles"].into_iter().chain(KEYS).collect();
    let Some(table) = node.and_then(|node| Table::open(node, "applies", &known, report)) else { return reach };
    if let Some(way) = table.get("direction").and_then(|node| text(node, "direction", report)) {
        reach.ways = super::check::choose(&way, "direction", &super::check::DIRECTIONS, report).unwrap_or(reach.ways);
    }
    let roles = names_at(&table, "roles", report);
    if !roles.is_empty() {
        reach.roles = roles.iter().filter_map(|name| super::check::role(name, report)).collect();
    }
    reach.scope = read(&table, report);
    reach
}

/// The keys of a scope.
pub(super) const KEYS: [&str; 8] = ["trust", "tools", "models", "routes", "tenants", "keys", "fields", "headers"];

/// Header fields that are never looked at: they hold what lets somebody in.
const SECRET_HEADERS: [&str; 6] =
    ["api-key", "authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"];

const TRUSTS: [(&str, Trust); 4] = [
    ("operator", Trust::Operator),
    ("user", Trust::User),
    ("untrusted", Trust::Untrusted),
    ("provider", Trust::Provider),
];

/// Reads the keys of a scope from a mapping that may have others too.
pub(super) fn read(table: &Table<'_>, report: &mut Reporter<'_>) -> Scope {
    let globs = |key, report: &mut Reporter<'_>| names(table, key, report).into_iter().map(Glob::new).collect();
    Scope {
        trust: names_at(table, "trust", report).iter().filter_map(|name| trust(name, report)).collect(),
        tools: globs("tools", report),
        models: globs("models", report),
        routes: globs("routes", report),
        tenants: names(table, "tenants", report),
        keys: names(table, "keys", report),
        fields: names_at(table, "fields", report).iter().filter_map(|name| field(name, report)).collect(),
        headers: table.get("headers").map(|node| headers(node, report)).unwrap_or_default(),
    }
}

fn names(table: &Table<'_>, key: &'static str, report: &mut Reporter<'_>) -> Vec<String> {
    names_at(table, key, report).into_iter().map(|name| name.value).collect()
}

/// The names in the list under `key`, if it is there. A list that is there and empty would apply nowhere.
pub(super) fn names_at(table: &Table<'_>, key: &'static str, report: &mut Reporter<'_>) -> Vec<At<String>> {
    let Some(node) = table.get(key) else { return Vec::new() };
    if list(node, key, report).is_some_and(<[Node]>::is_empty) {
        let help = match key {
            "rules" => "name a rule's id, a family or a tag".to_owned(),
            _ => format!("name one, or leave `{key}` out for all"),
        };
        report.error("R005", node.place, format!("the list `{key}` is empty"), help);
    }
    let Value::List(_) = node.value else { return Vec::new() };
    let written = texts(node, key, report).unwrap_or_default();
    if written.len() > limits::SCOPE_NAMES {
        let message = format!("`{key}` has {} names, {} are allowed", written.len(), limits::SCOPE_NAMES);
        report.error("R040", node.place, message, "use `*` in the names, or split the rule");
    }
    for name in written.iter().filter(|name| name.value.is_empty() || name.value.len() > limits::SCOPE_NAME_BYTES) {
        let message = format!("a name under `{key}` has {} bytes", name.value.len());
        report.error("R040", name.place, message, format!("write 1 to {} bytes", limits::SCOPE_NAME_BYTES));
    }
    written
}

/// The name that rules use.
pub(super) fn trust_name(trust: Trust) -> &'static str {
    TRUSTS.iter().find(|(_, known)| *known == trust).map_or("", |(name, _)| name)
}

fn trust(name: &At<String>, report: &mut Reporter<'_>) -> Option<Trust> {
    let found = TRUSTS.iter().find(|(known, _)| *known == name.value).map(|(_, trust)| *trust);
    if found.is_none() {
        let message = format!("a trust cannot be `{}`", shown(&name.value));
        report.error("R007", name.place, message, suggest::help(&name.value, &TRUSTS.map(|(name, _)| name)));
    }
    found
}

fn field(name: &At<String>, report: &mut Reporter<'_>) -> Option<FieldGlob> {
    let field = FieldGlob::new(&name.value);
    if field.is_none() {
        let message = format!("`{}` is not a place in a body", shown(&name.value));
        let help = "write a JSON Pointer: `/messages/*/content`; `*` is one step, `**` any number of steps";
        report.error("R040", name.place, message, help);
    }
    field
}

fn headers(node: &Node, report: &mut Reporter<'_>) -> Vec<(String, Glob)> {
    let Value::Map(pairs) = &node.value else {
        let message = format!("headers must be a mapping, not {}", node.value.kind());
        report.error("R006", node.place, message, "write `headers: { user-agent: 'curl/*' }`");
        return Vec::new();
    };
    if pairs.is_empty() || pairs.len() > limits::SCOPE_NAMES {
        let help = format!("write 1 to {} header fields, or leave `headers` out", limits::SCOPE_NAMES);
        report.error("R040", node.place, format!("`headers` has {} entries", pairs.len()), help);
    }
    let mut found = Vec::new();
    for (name, place, value) in pairs {
        let lower = name.to_ascii_lowercase();
        let is_name = !name.is_empty()
            && name.len() <= limits::SCOPE_NAME_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !is_name {
            let help = "write one field's name: letters, digits and hyphens";
            report.error("R040", *place, format!("`{}` is not a header field's name", shown(name)), help);
        } else if SECRET_HEADERS.contains(&lower.as_str()) {
            let help = "leave it out; `keys` and `tenants` say who calls";
            report.error(
                "R040",
                *place,
                format!("the header field `{lower}` holds secrets and is never looked at"),
                help,
            );
        } else if found.iter().any(|(known, _)| *known == lower) {
            report.error("R004", *place, format!("the header field `{lower}` stands here twice"), "keep one of them");
        } else if let Some(value) = text(value, "a header's value", report) {
            found.push((lower, Glob::new(value.value.to_ascii_lowercase())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(list: &[&str]) -> Vec<Glob> {
        list.iter().map(|text| Glob::new(*text)).collect()
    }

    #[test]
    fn what_is_not_known_does_not_fit() {
        let scope = Scope { tenants: vec!["acme".to_owned()], ..Scope::default() };
        assert!(!scope.fits_exchange(&Facts::default()));
        let facts = |tenant: &str| Facts { tenant: Some(tenant.to_owned()), ..Facts::default() };
        assert!(scope.fits_exchange(&facts("acme")) && !scope.fits_exchange(&facts("acme2")));
        assert!(Scope::default().fits_exchange(&Facts::default()));
    }

    #[test]
    fn all_that_ask_must_agree() {
        let scope = Scope {
            models: globs(&["gpt-*", "o3"]),
            routes: globs(&["chat_*"]),
            headers: vec![("user-agent".to_owned(), Glob::new("curl/*"))],
            ..Scope::default()
        };
        let facts = Facts {
            model: Some("gpt-4o".to_owned()),
            route: Some("chat_completions".to_owned()),
            headers: vec![
                ("user-agent".to_owned(), "Mozilla".to_owned()),
                ("user-agent".to_owned(), "CURL/8".to_owned()),
            ],
            ..Facts::default()
        };
        assert!(scope.fits_exchange(&facts));
        assert!(!scope.fits_exchange(&Facts { model: Some("o1".to_owned()), ..facts.clone() }));
        assert!(!scope.fits_exchange(&Facts { headers: Vec::new(), ..facts.clone() }));
        assert!(!scope.fits_exchange(&Facts { route: None, ..facts }));
    }

    #[test]
    fn a_passage_fits_by_trust_tool_and_place() {
        let passage = |role, place: &str, tool: Option<&str>| Passage {
            tool: tool.map(Into::into),
            ..Passage::new(role, place.to_owned(), "x")
        };
        let fits =
            |scope: &Scope, passage: &Passage<'_>| scope.fits_passage(Direction::Request, passage, UnknownTool::Fits);
        let untrusted = Scope { trust: vec![Trust::Untrusted], ..Scope::default() };
        assert!(fits(&untrusted, &passage(Role::ToolResult, "/messages/1/content", None)));
        assert!(!fits(&untrusted, &passage(Role::User, "/messages/1/content", None)));
        let shell = Scope { tools: globs(&["shell*"]), ..Scope::default() };
        assert!(fits(&shell, &passage(Role::ToolResult, "/messages/1/content", Some("shell_exec"))));
        assert!(!fits(&shell, &passage(Role::ToolResult, "/messages/1/content", Some("search"))));
        assert!(!fits(&shell, &passage(Role::User, "/messages/1/content", None)), "no tool's text at all");
        let hidden = passage(Role::ToolResult, "/messages/1/content", None);
        assert!(fits(&shell, &hidden), "a rule is not escaped by hiding the call");
        assert!(!shell.fits_passage(Direction::Request, &hidden, UnknownTool::Misses), "an exception must know");
        let field = Scope { fields: vec![FieldGlob::new("/messages/*/content").unwrap()], ..Scope::default() };
        assert!(fits(&field, &passage(Role::User, "/messages/7/content", None)));
        assert!(!fits(&field, &passage(Role::User, "/user", None)));
    }
}
