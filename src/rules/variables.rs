//! `variables:` of a file: pieces of regexes with a name, written `{{name}}` where they are used.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::source::{Text, VariableSource, VariableValue};
use crate::base::limits::rules as limits;
use crate::yaml::diagnostic::Reporter;
use crate::yaml::node::Place;
use crate::yaml::suggest;
use crate::yaml::table::shown;

/// The variables of one file.
#[derive(Debug, Default)]
pub(super) struct Variables {
    known: BTreeMap<String, Variable>,
}

#[derive(Debug)]
struct Variable {
    place: Place,
    /// The regex that stands for it, as a group and with the variables in it put in; `None`: it has a problem.
    group: Option<String>,
    used: Cell<bool>,
}

/// A text with its variables put in.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// Where in the expanded text (in characters) a piece begins, and where in the written one. In order.
    pieces: Vec<(usize, usize)>,
    /// True when there was a variable.
    pub(super) is_changed: bool,
}

impl Expanded {
    /// The character of the written text that a character of the expanded one comes from: of a variable its opening brace.
    pub(super) fn written(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= at).checked_sub(1);
        let Some((start, written)) = piece.and_then(|piece| self.pieces.get(piece)) else { return at };
        match self.pieces.iter().find(|(next, _)| next > start) {
            // Within a variable: no further than its name.
            Some((_, next)) => (written + (at - start)).min(next.saturating_sub(1)),
            None => written + (at - start),
        }
    }
}

/// A piece of a written text.
#[derive(Debug, Eq, PartialEq)]
enum Piece<'t> {
    Plain(&'t str),
    Variable(&'t str),
}

/// Cuts a text at its `{{name}}`s. Anything else in braces is plain.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut plain, mut at) = (Vec::new(), 0, 0);
    while let Some(open) = text.get(at..).and_then(|rest| rest.find("{{")).map(|open| at + open) {
        let name = text.get(open + 2..).and_then(|rest| rest.split_once("}}")).map(|(name, _)| name);
        let Some(name) = name.filter(|name| is_name(name)) else {
            at = open + 1;
            continue;
        };
        pieces.extend(text.get(plain..open).filter(|plain| !plain.is_empty()).map(Piece::Plain));
        pieces.push(Piece::Variable(name));
        at = open + name.len() + 4;
        plain = at;
    }
    pieces.extend(text.get(plain..).filter(|plain| !plain.is_empty()).map(Piece::Plain));
    pieces
}

/// A name of a variable or of a pattern: a lower-case letter, then letters, digits and `_`.
pub(super) fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.len() <= 64
}

impl Variables {
    /// Reads a file's variables: each checked by itself, those in it put in.
    pub(super) fn new(sources: &[VariableSource], report: &mut Reporter<'_>) -> Self {
        let mut written: BTreeMap<&str, &VariableSource> = BTreeMap::new();
        for source in sources {
            let Text { place, value: name } = &source.name;
            if !is_name(name) {
                let message = format!("`{}` is not a name of a variable", shown(name));
                report.error("R023", *place, message, "write lower-case letters, digits and `_`, a letter first");
            } else if written.insert(name, source).is_some() {
                let message = format!("the variable `{name}` stands here twice");
                report.error("R004", *place, message, "keep one of them");
            }
        }
        if let Some(source) = sources.get(limits::VARIABLES) {
            let message = format!("{} variables, {} are allowed in a file", sources.len(), limits::VARIABLES);
            report.error("R023", source.name.place, message, "put the rules that need them into files of their own");
            written.clear();
        }
        let mut variables = Self::default();
        for name in written.keys() {
            variables.resolve(name, &written, &mut Vec::new(), report);
        }
        variables
    }

    /// Puts the variables of a variable in, those first that it needs. `open`: which are being resolved.
    fn resolve<'s>(
        &mut self,
        name: &'s str,
        written: &BTreeMap<&'s str, &'s VariableSource>,
        open: &mut Vec<&'s str>,
        report: &mut Reporter<'_>,
    ) {
        let Some(source) = written.get(name) else { return };
        if self.known.contains_key(name) {
            return;
        }
        let place = source.name.place;
        if open.contains(&name) {
            let message = format!("the variable `{name}` is made of itself: {} → {name}", open.join(" → "));
            report.error("R023", place, message, "write what it stands for");
            self.known.insert(name.to_owned(), Variable { place, group: None, used: Cell::new(true) });
            return;
        }
        open.push(name);
        let group = match &source.value {
            VariableValue::Words(place, words) => group_of_words(*place, words, report),
            VariableValue::Regex(text) => {
                for piece in pieces(&text.value) {
                    if let Piece::Variable(inner) = piece
                        && let Some((inner, _)) = written.get_key_value(inner)
                    {
                        self.resolve(inner, written, open, report);
                    }
                }
                self.group_of_regex(text, report)
            }
        };
        open.pop();
        // One that is made of itself is known already, as one with a problem.
        self.known.entry(name.to_owned()).or_insert(Variable { place, group, used: Cell::new(false) });
    }

    fn group_of_regex(&self, text: &Text, report: &mut Reporter<'_>) -> Option<String> {
        let expanded = self.expand(&text.value, text.place, str::to_owned, report)?;
        match regex_syntax::Parser::new().parse(&expanded.text) {
            Ok(hir) if hir.properties().explicit_captures_len() > 0 => {
                let help = "write `(?:…)`: a group here would change the numbers of the rule's own";
                report.error("R023", text.place, "a variable with a capturing group", help);
                None
            }
            Ok(_) => Some(format!("(?:{})", expanded.text)),
            Err(error) => {
                let message = match &error {
                    regex_syntax::Error::Parse(error) => error.kind().to_string(),
                    regex_syntax::Error::Translate(error) => error.kind().to_string(),
                    other => other.to_string(),
                };
                let help = "a variable is a piece of regex that can stand by itself, or a list of words";
                report.error("R014", text.place, format!("the variable is no regex: {message}"), help);
                None
            }
        }
    }

    /// Puts variables in; `plain` writes what stands between them. `None`: one of them is not there (reported) or has a
    /// problem of its own.
    pub(super) fn expand(
        &self,
        written: &str,
        place: Place,
        plain: impl Fn(&str) -> String,
        report: &mut Reporter<'_>,
    ) -> Option<Expanded> {
        let mut expanded = Expanded::default();
        let (mut before, mut length, mut is_whole) = (0, 0, true);
        for piece in pieces(written) {
            expanded.pieces.push((length, before));
            let put = match piece {
                Piece::Plain(text) => {
                    before += text.chars().count();
                    plain(text)
                }
                Piece::Variable(name) => {
                    expanded.is_changed = true;
                    let at = report.inside(place, before);
                    before += name.chars().count() + 4;
                    let group = self.group(name, at, report);
                    is_whole &= group.is_some();
                    group.unwrap_or_default().to_owned()
                }
            };
            length += put.chars().count();
            expanded.text.push_str(&put);
            if expanded.text.len() > limits::EXPANDED_BYTES {
                let message = format!("with its variables put in, it has over {} bytes", limits::EXPANDED_BYTES);
                report.error("R015", place, message, "use fewer variables, or shorter ones");
                return None;
            }
        }
        is_whole.then_some(expanded)
    }

    fn group(&self, name: &str, at: Place, report: &mut Reporter<'_>) -> Option<&str> {
        let Some(variable) = self.known.get(name) else {
            let names: Vec<&str> = self.known.keys().map(String::as_str).collect();
            let help = match names.as_slice() {
                [] => "the file has no `variables:`; to look for the braces themselves write the regex `\\{\\{`"
                    .to_owned(),
                names => suggest::help(name, names),
            };
            report.error("R023", at, format!("there is no variable `{name}`"), help);
            return None;
        };
        variable.used.set(true);
        variable.group.as_deref()
    }

    /// True when a file declares variables: then `{{name}}` is one in its literals too.
    pub(super) fn are_declared(&self) -> bool {
        !self.known.is_empty()
    }

    /// Warns of what nobody uses.
    pub(super) fn finish(&self, report: &mut Reporter<'_>) {
        for (name, variable) in self.known.iter().filter(|(_, variable)| !variable.used.get()) {
            let help = format!("write `{{{{{name}}}}}` in a pattern, or delete it");
            report.warning("W002", variable.place, format!("the variable `{name}` is not used"), help);
        }
    }
}

fn group_of_words(place: Place, words: &[Text], report: &mut Reporter<'_>) -> Option<String> {
    if words.is_empty() || words.iter().any(|word| word.value.is_empty()) {
        report.error("R023", place, "a variable without words, or with an empty one", "write `[your, my, the]`");
        return None;
    }
    let words: Vec<String> = words.iter().map(|word| regex_syntax::escape(&word.value)).collect();
    let group = format!("(?:{})", words.join("|"));
    if group.len() > limits::EXPANDED_BYTES {
        let message = format!("the variable has {} bytes, {} are allowed", group.len(), limits::EXPANDED_BYTES);
        report.error("R015", place, message, "so many words belong in a list file: `- list: lists/words.txt`");
        return None;
    }
    Some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_double_braces_are_variables() {
        assert_eq!(
            pieces("a {{b_1}}{{c}} {{D}} {2} {{{e}}"),
            [
                Piece::Plain("a "),
                Piece::Variable("b_1"),
                Piece::Variable("c"),
                Piece::Plain(" {{D}} {2} {"),
                Piece::Variable("e")
            ]
        );
        assert_eq!(pieces("{{{{a"), [Piece::Plain("{{{{a")]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn a_place_leads_back_to_what_was_written() {
        // `é{{x}}(` with x = `(?:abc)`
        let expanded =
            Expanded { text: "é(?:abc)(".to_owned(), pieces: vec![(0, 0), (1, 1), (8, 6)], is_changed: true };
        assert_eq!([0, 1, 2, 7, 8].map(|at| expanded.written(at)), [0, 1, 2, 5, 6]);
    }
}
