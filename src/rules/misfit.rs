//! Why a rule that matches in a text finds nothing there: which part of what it asks for is not met. For people and tools; the
//! inline path only asks whether.

use std::fmt::Display;

use serde::Serialize;

use super::applies::{Facts, Scope, UnknownTool, trust_name};
use super::condition::{Counts, Scores};
use super::set::Rule;
use crate::text::{Direction, Passage, Role};

/// One part of what a rule asks for that a text does not meet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Misfit {
    /// The rule's key: `direction`, `roles`, `trust`, `tools` …, `transforms`, `condition`, `mode`.
    pub part: &'static str,
    /// What the rule asks for there.
    pub asks: String,
    /// What is there instead; `None`: it is not known.
    pub has: Option<String>,
}

impl Misfit {
    fn new(part: &'static str, asks: impl Into<String>, has: Option<String>) -> Self {
        Self { part, asks: asks.into(), has }
    }
}

impl Rule {
    /// What it asks of the exchange and of the passage that these do not meet. Empty: it applies here.
    pub fn misfits(&self, facts: &Facts, direction: Direction, passage: &Passage<'_>) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        let (own, other) = match direction {
            Direction::Reply => (self.on_reply, ("request", "reply")),
            Direction::Request => (self.on_request, ("reply", "request")),
        };
        if !own {
            misfits.push(Misfit::new("direction", other.0, Some(other.1.to_owned())));
        }
        if !self.roles.contains(passage.role) {
            let has = Some(passage.role.name().to_owned());
            misfits.push(Misfit::new("roles", joined(self.roles.iter().map(Role::name)), has));
        }
        misfits.extend(self.scope.misfits(facts, direction, passage));
        if misfits.is_empty() && self.effect(facts, direction, passage).is_none() {
            misfits.push(Misfit::new("mode", "enforce or shadow", Some("off here, by an override".to_owned())));
        }
        misfits
    }

    /// Whether it leaves out what undoing these encodings has made.
    pub fn misfit_of_reading(&self, encodings: &[&str]) -> Option<Misfit> {
        let asks = match serde_json::to_value(&self.transforms).unwrap_or_default() {
            serde_json::Value::String(name) => name,
            serde_json::Value::Array(names) if names.is_empty() => "none".to_owned(),
            serde_json::Value::Array(names) => joined(names.iter().filter_map(serde_json::Value::as_str)),
            other => other.to_string(),
        };
        (!self.reads(encodings)).then(|| Misfit::new("transforms", asks, Some(encodings.join(" in "))))
    }

    /// Whether its condition does not hold for a text in which its patterns match so often, and what was seen of it.
    pub fn misfit_of_condition(&self, counts: &Counts, scores: &Scores) -> Option<Misfit> {
        let condition = self.condition.as_ref().filter(|condition| !condition.holds(counts, scores))?;
        let names: Vec<Option<&str>> = self.written.iter().map(|pattern| pattern.name.as_deref()).collect();
        Some(Misfit::new("condition", condition.written(), Some(condition.seen(&names, counts, scores))))
    }
}

impl Scope {
    /// Each key is held against the exchange and the passage by itself, as it is together with the others.
    fn misfits(&self, facts: &Facts, direction: Direction, passage: &Passage<'_>) -> Vec<Misfit> {
        let Self { trust, tools, models, routes, tenants, keys, fields, headers } = self.clone();
        let none = Scope::default;
        let trusts = joined(trust.iter().map(|trust| trust_name(*trust)));
        let header = |(name, glob): &(String, _)| format!("{name}: {glob}");
        let values = |name: &str| {
            let values = facts.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
            Some(joined(values)).filter(|values| !values.is_empty())
        };
        let mut parts = vec![
            ("trust", trusts, Some(trust_name(passage.trust(direction)).to_owned()), Self { trust, ..none() }),
            ("tools", joined(&tools), passage.tool.as_deref().map(str::to_owned), Self { tools, ..none() }),
            ("models", joined(&models), facts.model.clone(), Self { models, ..none() }),
            ("routes", joined(&routes), facts.route.clone(), Self { routes, ..none() }),
            ("tenants", joined(&tenants), facts.tenant.clone(), Self { tenants, ..none() }),
            ("keys", joined(&keys), facts.key.clone(), Self { keys, ..none() }),
            (
                "fields",
                joined(fields.iter().map(super::glob::FieldGlob::written)),
                Some(passage.field().into_owned()),
                Self { fields, ..none() },
            ),
        ];
        parts.extend(headers.into_iter().map(|one| {
            let (asks, has) = (header(&one), values(&one.0));
            ("headers", asks, has, Self { headers: vec![one], ..none() })
        }));
        let fits =
            |scope: &Self| scope.fits_exchange(facts) && scope.fits_passage(direction, passage, UnknownTool::Fits);
        let misfits = parts.into_iter().filter(|(.., scope)| !fits(scope));
        misfits.map(|(part, asks, has, _)| Misfit { part, asks, has }).collect()
    }
}

fn joined(names: impl IntoIterator<Item = impl Display>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::glob::{FieldGlob, Glob};
    use crate::text::Trust;

    #[test]
    fn every_part_of_a_scope_is_named_that_does_not_fit() {
        let globs = |text: &str| vec![Glob::new(text)];
        let scope = Scope {
            trust: vec![Trust::User],
            tools: globs("shell*"),
            models: globs("gpt-*"),
            routes: globs("chat_*"),
            tenants: vec!["acme".to_owned()],
            keys: vec!["team".to_owned()],
            fields: vec![FieldGlob::new("/messages/*/content").unwrap()],
            headers: vec![("user-agent".to_owned(), Glob::new("curl*")), ("x-app".to_owned(), Glob::new("a"))],
        };
        let passage = Passage::new(Role::Unknown, "/text", "x");
        let parts = |facts: &Facts, passage: &Passage<'_>| -> Vec<(&'static str, Option<String>)> {
            let misfits = scope.misfits(facts, Direction::Request, passage);
            misfits.into_iter().map(|misfit| (misfit.part, misfit.has)).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        let expected = [
            ("trust", some("untrusted")),
            ("tools", None),
            ("models", None),
            ("routes", None),
            ("tenants", None),
            ("keys", None),
            ("fields", some("/text")),
            ("headers", None),
            ("headers", None),
        ];
        assert_eq!(parts(&Facts::default(), &passage), expected);
        let facts = Facts {
            tenant: some("acme"),
            key: some("team"),
            model: some("gpt-4"),
            route: some("chat_completions"),
            headers: vec![("user-agent".to_owned(), "wget".to_owned()), ("x-app".to_owned(), "A".to_owned())],
            ..Facts::default()
        };
        let of_tool =
            Passage { tool: Some("shell".into()), ..Passage::new(Role::ToolResult, "/messages/1/content", "x") };
        let expected = [("trust", some("untrusted")), ("headers", some("wget"))];
        assert_eq!(parts(&facts, &of_tool), expected);
    }
}
