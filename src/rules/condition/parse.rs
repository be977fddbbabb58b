//! The parser of conditions: recursive descent, bounded, every error with its place.
//!
//! ```text
//! or    = and { "or" and }            unary = "not" unary | atom
//! and   = unary { "and" unary }       atom  = "(" or ")" | ( NUMBER | "any" | "all" ) "of" set
//! set   = "them" | "(" NAME { "," NAME } ")"      | "count" "(" NAME ")" compare NUMBER
//!                                                 | "score." LABEL compare NUMBER | NAME
//! ```
//!
//! No `#name`, as other rule languages count: YAML takes what follows a `#` for a comment.

use super::{Compare, Expression, Label};
use crate::base::limits::rules as limits;
use crate::yaml::suggest;

/// What is wrong, after how many characters, and what to write.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::rules) struct Problem {
    pub(in crate::rules) before: usize,
    pub(in crate::rules) message: String,
    pub(in crate::rules) help: String,
}

const WORDS: [&str; 9] = ["all", "and", "any", "count", "not", "of", "or", "score", "them"];

/// True for a word of the language: no pattern can have it as its name.
pub(in crate::rules) fn is_reserved(name: &str) -> bool {
    WORDS.contains(&name)
}

/// Parses a condition over patterns with these names (`None`: without one), by number.
pub(in crate::rules) fn parse(text: &str, names: &[Option<&str>]) -> Result<Expression, Problem> {
    if text.len() > limits::CONDITION_BYTES {
        let message = format!("the condition has {} bytes, {} are allowed", text.len(), limits::CONDITION_BYTES);
        return Err(Problem { before: 0, message, help: "make several rules of it".to_owned() });
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, names, end: text.chars().count(), depth: 0 };
    let expression = parser.or()?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(parser.unexpected(token.clone(), "`and`, `or` or the end")),
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Token<'t> {
    text: &'t str,
    /// Characters before it.
    before: usize,
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, Problem> {
    let mut tokens = Vec::new();
    let (mut at, mut before) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let first = rest.chars().next().unwrap_or(' ');
        let bytes = match first {
            c if c.is_whitespace() => c.len_utf8(),
            'A'..='Z' | 'a'..='z' | '_' => length(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'),
            '0'..='9' => length(|c| c.is_ascii_digit() || c == '.'),
            '(' | ')' | ',' => 1,
            '<' | '>' | '=' | '!' if rest.get(1..2) == Some("=") => 2,
            '<' | '>' => 1,
            c => {
                let message = format!("`{}` does not belong in a condition", c.escape_debug());
                let help = "it is made of names, `and`, `or`, `not`, `any of`, `all of`, `2 of`, `count(name) >= 3`, `score.injection > 0.7` and brackets";
                return Err(Problem { before, message, help: help.to_owned() });
            }
        };
        let token = rest.get(..bytes).unwrap_or(rest);
        if !first.is_whitespace() {
            tokens.push(Token { text: token, before });
        }
        at += token.len();
        before += token.chars().count();
    }
    Ok(tokens)
}

struct Parser<'t, 'n> {
    tokens: Vec<Token<'t>>,
    next: usize,
    names: &'n [Option<&'n str>],
    end: usize,
    depth: usize,
}

impl<'t> Parser<'t, '_> {
    fn or(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.and()?];
        while self.take("or") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn and(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.unary()?];
        while self.take("and") {
            parts.push(self.unary()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn unary(&mut self) -> Result<Expression, Problem> {
        let Some(token) = self.peek().cloned() else { return Err(self.ended("a pattern's name")) };
        if token.text != "not" && token.text != "(" {
            return self.atom(&token);
        }
        self.depth += 1;
        if self.depth > limits::CONDITION_DEPTH {
            let message = format!("more than {} brackets and `not`s inside each other", limits::CONDITION_DEPTH);
            return Err(Problem { before: token.before, message, help: "make several rules of it".to_owned() });
        }
        self.next += 1;
        let inner = if token.text == "not" {
            Expression::Not(Box::new(self.unary()?))
        } else {
            let inner = self.or()?;
            self.expect(")")?;
            inner
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn atom(&mut self, token: &Token<'t>) -> Result<Expression, Problem> {
        self.next += 1;
        match token.text {
            "any" => self.of(token, Some(1)),
            "all" => self.of(token, None),
            "count" => {
                self.expect("(")?;
                let Some(name) = self.take_any() else { return Err(self.ended("a pattern's name")) };
                let pattern = self.pattern(&name)?;
                self.expect(")")?;
                let compare = self.compare()?;
                let (than, before) = self.number()?;
                let Ok(than) = than.parse::<u32>() else {
                    return Err(wrong(
                        before,
                        format!("`{than}` is no whole number"),
                        "write how many: `count(a) >= 3`",
                    ));
                };
                // Of a rule that does not redact, no more are looked for.
                if than as usize > limits::MATCHES {
                    let message = format!("matches are counted up to {}", limits::MATCHES);
                    return Err(wrong(before, message, "write a smaller number"));
                }
                Ok(Expression::Count(pattern, compare, than))
            }
            text if text.starts_with(|c: char| c.is_ascii_digit()) => match text.parse::<usize>() {
                Ok(least @ 1..) => self.of(token, Some(least)),
                _ => Err(wrong(token.before, format!("`{text}` patterns cannot be asked for"), "write `2 of them`")),
            },
            text if text == "score" || text.starts_with("score.") => {
                let label = text.strip_prefix("score.").unwrap_or_default();
                let names = Label::ALL.map(Label::name);
                let Some(label) = Label::ALL.into_iter().find(|known| known.name() == label) else {
                    let message = format!("there is no score `{label}`");
                    return Err(Problem { before: token.before, message, help: suggest::help(label, &names) });
                };
                let compare = self.compare()?;
                let (than, before) = self.number()?;
                match than.parse::<f32>() {
                    Ok(than @ 0.0..=1.0) => Ok(Expression::Score(label, compare, than)),
                    _ => Err(wrong(before, format!("`{than}` is no score"), "scores lie between 0 and 1: `0.7`")),
                }
            }
            _ => Ok(Expression::Least(1, vec![self.pattern(token)?])),
        }
    }

    /// `of them`, `of (a, b)`. `least`: `None` is all of them.
    fn of(&mut self, start: &Token<'t>, least: Option<usize>) -> Result<Expression, Problem> {
        self.expect("of")?;
        let mut patterns = Vec::new();
        if self.take("them") {
            patterns.extend((0..self.names.len()).filter_map(|number| u16::try_from(number).ok()));
        } else {
            self.expect("(")?;
            loop {
                let Some(name) = self.take_any() else { return Err(self.ended("a pattern's name")) };
                let pattern = self.pattern(&name)?;
                if patterns.contains(&pattern) {
                    return Err(wrong(name.before, format!("`{}` stands here twice", name.text), "name it once"));
                }
                patterns.push(pattern);
                if !self.take(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let least = least.unwrap_or(patterns.len());
        if least > patterns.len() {
            let message = format!("{least} of {} can never be", patterns.len());
            return Err(wrong(start.before, message, "ask for fewer, or name more patterns"));
        }
        Ok(Expression::Least(least, patterns))
    }

    fn pattern(&self, token: &Token<'_>) -> Result<u16, Problem> {
        let number = self.names.iter().position(|name| *name == Some(token.text));
        if let Some(number) = number.and_then(|number| u16::try_from(number).ok()) {
            return Ok(number);
        }
        if is_reserved(token.text) || !token.text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(self.unexpected(token.clone(), "a pattern's name"));
        }
        let names: Vec<&str> = self.names.iter().copied().flatten().collect();
        let help = match names.as_slice() {
            [] => "give the rule's patterns names: `- { name: a, literal: … }`".to_owned(),
            names => suggest::help(token.text, names),
        };
        Err(Problem { before: token.before, message: format!("no pattern is named `{}`", token.text), help })
    }

    fn compare(&mut self) -> Result<Compare, Problem> {
        let Some(token) = self.take_any() else { return Err(self.ended("`>=` or another comparison")) };
        match token.text {
            "==" => Ok(Compare::Equal),
            "<" => Ok(Compare::Less),
            "<=" => Ok(Compare::LessOrEqual),
            ">" => Ok(Compare::More),
            ">=" => Ok(Compare::MoreOrEqual),
            "!=" => Ok(Compare::NotEqual),
            _ => Err(self.unexpected(token, "one of `>`, `>=`, `<`, `<=`, `==`, `!=`")),
        }
    }

    fn number(&mut self) -> Result<(&'t str, usize), Problem> {
        let Some(token) = self.take_any() else { return Err(self.ended("a number")) };
        if !token.text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.unexpected(token, "a number"));
        }
        Ok((token.text, token.before))
    }

    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.next)
    }

    fn take_any(&mut self) -> Option<Token<'t>> {
        let token = self.peek().cloned();
        self.next += 1;
        token
    }

    fn take(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.text == text);
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, text: &str) -> Result<(), Problem> {
        if self.take(text) {
            return Ok(());
        }
        match self.peek().cloned() {
            Some(token) => Err(self.unexpected(token, &format!("`{text}`"))),
            None => Err(self.ended(&format!("`{text}`"))),
        }
    }

    fn unexpected(&self, token: Token<'_>, wanted: &str) -> Problem {
        wrong(token.before, format!("`{}` stands where {wanted} should", token.text), EXAMPLE)
    }

    fn ended(&self, wanted: &str) -> Problem {
        wrong(self.end, format!("the condition ends where {wanted} should stand"), EXAMPLE)
    }
}

const EXAMPLE: &str =
    "write for example `a and not b`, `2 of (a, b, c)`, `count(a) >= 3`, `a and score.injection > 0.7`";

fn wrong(before: usize, message: String, help: &str) -> Problem {
    Problem { before, message, help: help.to_owned() }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}
