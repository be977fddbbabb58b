//! The route table: model names and patterns to providers, first match first.

use std::fmt;

use crate::base::{Cause, Fault};

/// A model name, or a pattern in which `*` stands for any run of characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelPattern(String);

impl ModelPattern {
    /// A pattern as written.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The name itself, when the pattern is a plain name.
    pub fn as_name(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }

    /// True when the whole name fits. Linear in the name for each `*`.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|head| name.strip_prefix(head)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Index of the provider in the configuration's order.
    pub provider: usize,
    /// The provider's own name for the model, when it is not what the client wrote.
    pub rename: Option<String>,
}

/// All routes: per provider its name and the models it serves.
#[derive(Clone, Debug, Default)]
pub struct Table {
    providers: Vec<(String, Vec<ModelPattern>)>,
}

impl Table {
    /// The table of these providers, in order of preference.
    pub fn new(providers: Vec<(String, Vec<ModelPattern>)>) -> Self {
        Self { providers }
    }

    /// The provider for a model. `NAME/MODEL` names the provider outright, otherwise the first that serves the model.
    ///
    /// # Errors
    /// `no_such_model` when nobody serves it.
    pub fn choose(&self, model: &str) -> Result<Choice, Fault> {
        if let Some(provider) = self.first(|_, patterns| patterns.iter().any(|pattern| pattern.matches(model))) {
            return Ok(Choice { provider, rename: None });
        }
        if let Some((name, own)) = model.split_once('/')
            && let Some(provider) =
                self.first(|provider, patterns| provider == name && patterns.iter().any(|pattern| pattern.matches(own)))
        {
            return Ok(Choice { provider, rename: Some(own.to_owned()) });
        }
        let detail = "no provider serves the model that `model` names; GET /v1/models lists what there is";
        Err(Fault::client(Cause::NoSuchModel, detail))
    }

    /// Models that are named outright (patterns name none), each with its provider's index, in order, without repeats.
    pub fn named_models(&self) -> Vec<(&str, usize)> {
        let mut models: Vec<(&str, usize)> = Vec::new();
        for (index, (_, patterns)) in self.providers.iter().enumerate() {
            for name in patterns.iter().filter_map(ModelPattern::as_name) {
                if !models.iter().any(|(known, _)| *known == name) {
                    models.push((name, index));
                }
            }
        }
        models
    }

    fn first(&self, fits: impl Fn(&str, &[ModelPattern]) -> bool) -> Option<usize> {
        self.providers.iter().position(|(name, patterns)| fits(name, patterns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let patterns = |list: &[&str]| list.iter().map(|text| ModelPattern::new(*text)).collect();
        Table::new(vec![
            ("demo".to_owned(), patterns(&["demo"])),
            ("openai".to_owned(), patterns(&["gpt-*", "o*-mini"])),
            ("local".to_owned(), patterns(&["*"])),
        ])
    }

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("demo", "demo", true),
            ("demo", "demo2", false),
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "xgpt-4o", false),
            ("o*-mini", "o3-mini", true),
            ("o*-mini", "o3-mini-high", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "ba", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
        ] {
            assert_eq!(ModelPattern::new(pattern).matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn the_first_that_serves_the_model_answers() {
        assert_eq!(table().choose("gpt-4o").unwrap(), Choice { provider: 1, rename: None });
        assert_eq!(table().choose("llama").unwrap(), Choice { provider: 2, rename: None });
    }

    #[test]
    fn a_provider_can_be_named_outright() {
        let mut table = table();
        table.providers[2].1 = vec![ModelPattern::new("llama")];
        assert_eq!(table.choose("openai/gpt-4o").unwrap(), Choice { provider: 1, rename: Some("gpt-4o".to_owned()) });
        assert_eq!(table.choose("local/gpt-4o").unwrap_err().cause, Cause::NoSuchModel);
        assert_eq!(table.choose("nobody").unwrap_err().cause, Cause::NoSuchModel);
    }

    #[test]
    fn only_plain_names_are_listed() {
        assert_eq!(table().named_models(), [("demo", 0)]);
    }
}
