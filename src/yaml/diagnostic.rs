//! Diagnostics for people: what is wrong in a file, where, and what to write. All of them, not the first.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::node::Place;

/// One problem in one place.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostic {
    /// Stable number of this kind of problem, for example `R003`.
    pub code: &'static str,
    /// The file.
    pub file: PathBuf,
    /// Line and column from 1, the column in characters; `None`: the whole file.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// The line it stands in, for the caret.
    pub line_text: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.code, self.message)?;
        let Some((line, column)) = self.place else {
            writeln!(f, "  --> {}", self.file.display())?;
            return writeln!(f, "  help: {}", self.help);
        };
        writeln!(f, "  --> {}:{line}:{column}", self.file.display())?;
        if let Some(text) = &self.line_text {
            let number = line.to_string();
            let (shown, caret) = clip(text, column);
            writeln!(f, "{number:>5} | {shown}")?;
            writeln!(f, "      | {:caret$}^", "")?;
        }
        writeln!(f, "  help: {}", self.help)
    }
}

/// Cuts a long line around the column so that the caret stays in sight. Control characters become spaces: a file
/// must not be able to drive the terminal of whoever reads the report.
fn clip(text: &str, column: usize) -> (String, usize) {
    const AROUND: usize = 100;
    let caret = column.saturating_sub(1);
    let from = if caret > AROUND { caret - AROUND / 2 } else { 0 };
    let shown = text.chars().skip(from).take(AROUND + AROUND / 2).map(|c| if c.is_control() { ' ' } else { c });
    (shown.collect(), caret - from)
}

/// At most `most` of each kind (code), in their order, and by kind how many more there are.
pub(crate) fn few(all: &[Diagnostic], most: usize) -> (Vec<&Diagnostic>, BTreeMap<&'static str, usize>) {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let shown = all.iter().filter(|one| {
        let count = counts.entry(one.code).or_default();
        *count += 1;
        *count <= most
    });
    let shown = shown.collect();
    counts.retain(|_, count| *count > most);
    counts.values_mut().for_each(|count| *count -= most);
    (shown, counts)
}

/// All problems of a load. Not empty when it comes as an error.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Diagnostics {
    /// Problems that keep the file from being used.
    pub errors: Vec<Diagnostic>,
    /// What is allowed and yet not good.
    pub warnings: Vec<Diagnostic>,
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error {error}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning {warning}")?;
        }
        match (self.errors.len(), self.warnings.len()) {
            (0, 0) => writeln!(f, "no problems"),
            (errors, 0) => writeln!(f, "{errors} error(s)"),
            (errors, warnings) => writeln!(f, "{errors} error(s), {warnings} warning(s)"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// The codes of the problems that every file can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes {
    /// Not YAML.
    pub(crate) broken: &'static str,
    /// A key nobody knows.
    pub(crate) unknown: &'static str,
    /// Twice the same key.
    pub(crate) twice: &'static str,
    /// A key is missing.
    pub(crate) missing: &'static str,
    /// A value of another type.
    pub(crate) mistyped: &'static str,
    /// Where to read what may be written.
    pub(crate) guide: &'static str,
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(crate) struct Reporter<'a> {
    pub(crate) file: &'a Path,
    pub(crate) codes: Codes,
    content: &'a str,
    errors_before: usize,
    warnings_before: usize,
    /// Names of values that come from elsewhere than the file: a place `(0, n)` is the n-th of them.
    elsewhere: Vec<String>,
    out: &'a mut Diagnostics,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(file: &'a Path, content: &'a str, codes: Codes, out: &'a mut Diagnostics) -> Self {
        let (errors_before, warnings_before) = (out.errors.len(), out.warnings.len());
        Self { file, codes, content, errors_before, warnings_before, elsewhere: Vec::new(), out }
    }

    /// Takes problems of this file that were found apart from the other files.
    pub(crate) fn adopt(&mut self, found: Diagnostics) {
        self.out.errors.extend(found.errors);
        self.out.warnings.extend(found.warnings);
    }

    /// Names a source outside the file (an environment variable) and gives the place that stands for it.
    pub(crate) fn elsewhere(&mut self, name: String) -> Place {
        self.elsewhere.push(name);
        (0, self.elsewhere.len())
    }

    /// True when this file has a problem.
    pub(crate) fn has_errors(&self) -> bool {
        self.out.errors.len() > self.errors_before
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        place: impl Into<Option<Place>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = self.diagnostic(code, place.into(), message.into(), help.into());
        self.out.errors.push(diagnostic);
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        place: impl Into<Option<Place>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let diagnostic = self.diagnostic(code, place.into(), message.into(), help.into());
        self.out.warnings.push(diagnostic);
    }

    /// Errors so far, of this and all earlier files.
    pub(crate) fn error_count(&self) -> usize {
        self.out.errors.len()
    }

    /// The place of a character inside a scalar that begins at `place`: an opening quote and doubled quotes are stepped
    /// over. A text that goes over several lines keeps its own place.
    pub(crate) fn inside(&self, place: Place, before: usize) -> Place {
        let Some(line) = lines(self.content).nth(place.0.saturating_sub(1)) else { return place };
        let mut rest = line.chars().skip(place.1.saturating_sub(1)).peekable();
        let quote = rest.next_if(|c| matches!(c, '\'' | '"'));
        let mut column = place.1 + usize::from(quote.is_some());
        for _ in 0..before {
            match rest.next() {
                None => return place,
                Some(c) if Some(c) == quote.filter(|quote| *quote == '\'') && rest.next_if_eq(&c).is_some() => {
                    column += 2
                }
                Some('\\') if quote == Some('"') && rest.next().is_some() => column += 2,
                Some(_) => column += 1,
            }
        }
        (place.0, column)
    }

    /// Puts this file's problems into the order of their places, each once: what is written once and used by many (a default
    /// of all rules, a variable) would be told of for each of them.
    pub(crate) fn sort(&mut self) {
        for (list, before) in
            [(&mut self.out.errors, self.errors_before), (&mut self.out.warnings, self.warnings_before)]
        {
            let mut mine = list.split_off(before.min(list.len()));
            mine.sort_by_key(|problem| problem.place);
            let mut told = HashSet::new();
            mine.retain(|problem| {
                told.insert((problem.code, problem.file.clone(), problem.place, problem.message.clone()))
            });
            list.append(&mut mine);
        }
    }

    fn diagnostic(&self, code: &'static str, place: Option<Place>, message: String, help: String) -> Diagnostic {
        let elsewhere = match place {
            Some((0, number)) => self.elsewhere.get(number.wrapping_sub(1)),
            _ => None,
        };
        let file = elsewhere.map_or_else(|| self.file.to_owned(), PathBuf::from);
        let place = place.filter(|(line, _)| *line > 0);
        let line_text = place.and_then(|(line, _)| lines(self.content).nth(line - 1)).map(str::to_owned);
        Diagnostic { code, file, place, message, help, line_text }
    }
}

/// A text's lines as YAML counts them: a carriage return alone ends one, too.
pub(crate) fn lines(content: &str) -> impl Iterator<Item = &str> {
    content.lines().flat_map(|line| line.split('\r'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::node;

    #[test]
    fn of_each_kind_a_few_are_shown_and_the_others_counted() {
        let one = |code| Diagnostic {
            code,
            file: PathBuf::new(),
            place: None,
            message: String::new(),
            help: String::new(),
            line_text: None,
        };
        let all: Vec<Diagnostic> = ["W1", "W1", "W2", "W1", "W3", "W3"].map(one).into();
        let codes = |(shown, more): (Vec<&Diagnostic>, BTreeMap<&'static str, usize>)| {
            (shown.iter().map(|one| one.code).collect::<Vec<_>>(), more.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(codes(few(&all, 2)), (vec!["W1", "W1", "W2", "W3", "W3"], vec![("W1", 1)]));
        assert_eq!(codes(few(&all, 3)).1, []);
    }

    #[test]
    fn the_line_shown_is_the_one_that_was_counted() {
        let codes =
            Codes { broken: "X1", unknown: "X2", twice: "X3", missing: "X4", mistyped: "X5", guide: "docs/rules.md" };
        for end in ["\n", "\r\n", "\r"] {
            let content = ["a: 1", "b: [", "c: 2"].join(end);
            let (place, message) = node::parse(&content).unwrap_err();
            let mut found = Diagnostics::default();
            Reporter::new(Path::new("f.yaml"), &content, codes, &mut found).error("X1", place, message, "");
            let line = ["a: 1", "b: [", "c: 2"][place.unwrap().0 - 1];
            assert_eq!(found.errors[0].line_text.as_deref(), Some(line), "lines that end with {end:?}");
        }
    }
}
