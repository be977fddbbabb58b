//! Bounds for regexes that have none: a stream can hold back only what ends.

use regex_automata::nfa::thompson;
use regex_syntax::ParserBuilder;
use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange, Span, Visitor};
use regex_syntax::hir::Hir;

use crate::base::limits::rules as limits;

/// Bounds that are tried for an unbounded repeat, largest first.
const BOUNDS: [u32; 8] = [8192, 4096, 2048, 1024, 512, 256, 128, 64];

/// A regex that can judge a stream, or why it cannot be had.
pub(super) struct Bounded {
    pub(super) text: String,
    /// The largest repeat that stands for an unbounded one; `None`: there was none.
    pub(super) bound: Option<u32>,
    /// No bound is small enough: the rule judges whole blocks.
    pub(super) block_end: bool,
}

/// Gives every repeat an end.
pub(super) fn bound(text: &str) -> Result<Bounded, String> {
    let hir = parse(text)?;
    if !compiles(&hir) {
        return Err(format!("compiled, it has more than {} bytes", limits::REGEX_BYTES));
    }
    if hir.properties().minimum_len().unwrap_or(0) == 0 {
        return Err("it matches the empty text, so it matches everywhere".to_owned());
    }
    let longest = hir.properties().maximum_len();
    if longest.is_some_and(|length| length <= limits::STREAM_MATCH_BYTES) {
        return Ok(Bounded { text: text.to_owned(), bound: None, block_end: false });
    }
    let repeats = repeats(text)?;
    for bound in BOUNDS {
        let bounded = rewrite(text, &repeats, bound);
        let Ok(hir) = parse(&bounded) else { continue };
        let fits = hir.properties().maximum_len().is_some_and(|length| length <= limits::STREAM_MATCH_BYTES);
        if fits && bounded.len() <= limits::PATTERN_BYTES && compiles(&hir) {
            return Ok(Bounded { text: bounded, bound: Some(bound), block_end: false });
        }
    }
    Ok(Bounded { text: text.to_owned(), bound: None, block_end: true })
}

/// Without a repeat at its beginning that may be empty: it says nothing about the group that is the finding, and every place of
/// a text is searched for it. `None`: it has none.
pub(super) fn without_optional_start(text: &str) -> Option<String> {
    let parsed = ast::parse::Parser::new().parse(text).ok()?;
    let Ast::Concat(concat) = &parsed else { return None };
    let first = concat.asts.iter().find(|ast| !matches!(ast, Ast::Flags(_)))?;
    let Ast::Repetition(repetition) = first else { return None };
    let is_optional = match &repetition.op.kind {
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => true,
        RepetitionKind::OneOrMore => false,
        RepetitionKind::Range(range) => match range {
            RepetitionRange::Exactly(least) | RepetitionRange::AtLeast(least) | RepetitionRange::Bounded(least, _) => {
                *least == 0
            }
        },
    };
    let range = repetition.span.start.offset..repetition.span.end.offset;
    let piece = text.get(range.clone())?;
    // Groups would be counted anew.
    let has_group = parse(piece).map_or(true, |hir| hir.properties().explicit_captures_len() > 0);
    if !is_optional || has_group || concat.asts.len() < 2 {
        return None;
    }
    let mut shorter = text.to_owned();
    shorter.replace_range(range, "");
    Some(shorter)
}

/// Parses as the loader of rules does.
pub(super) fn parse(text: &str) -> Result<Hir, String> {
    ParserBuilder::new().build().parse(text).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        error => error.to_string(),
    })
}

fn compiles(hir: &Hir) -> bool {
    let config = thompson::Config::new().nfa_size_limit(Some(limits::REGEX_BYTES));
    thompson::Compiler::new().configure(config).build_from_hir(hir).is_ok()
}

/// An unbounded repeat: where its operator stands, its least, whether it is lazy.
struct Repeat {
    span: Span,
    least: u32,
    greedy: bool,
}

fn repeats(text: &str) -> Result<Vec<Repeat>, String> {
    let parsed = ast::parse::Parser::new().parse(text).map_err(|error| error.kind().to_string())?;
    let Ok(mut repeats) = ast::visit(&parsed, Find(Vec::new()));
    repeats.sort_by_key(|repeat| std::cmp::Reverse(repeat.span.start.offset));
    Ok(repeats)
}

struct Find(Vec<Repeat>);

impl Visitor for Find {
    type Output = Vec<Repeat>;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        let Ast::Repetition(repetition) = ast else { return Ok(()) };
        let least = match &repetition.op.kind {
            RepetitionKind::ZeroOrMore => 0,
            RepetitionKind::OneOrMore => 1,
            RepetitionKind::Range(RepetitionRange::AtLeast(least)) => *least,
            RepetitionKind::ZeroOrOne | RepetitionKind::Range(_) => return Ok(()),
        };
        self.0.push(Repeat { span: repetition.op.span, least, greedy: repetition.greedy });
        Ok(())
    }
}

fn rewrite(text: &str, repeats: &[Repeat], bound: u32) -> String {
    let mut bounded = text.to_owned();
    for Repeat { span, least, greedy } in repeats {
        let lazy = if *greedy { "" } else { "?" };
        bounded.replace_range(span.start.offset..span.end.offset, &format!("{{{least},{}}}{lazy}", bound.max(*least)));
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_get_ends() {
        let bounded = bound(r"key-[a-z]+?x*[0-9]{3,}\+").unwrap();
        assert_eq!((bounded.bound, bounded.block_end), (Some(4096), false));
        assert_eq!(bounded.text, r"key-[a-z]{1,4096}?x{0,4096}[0-9]{3,4096}\+");
        assert!(bound("key-[a-z]{3}").unwrap().bound.is_none());
        let nested = bound("key(?:(?:[a-z]+,)+;)+").unwrap();
        assert!(nested.block_end && nested.bound.is_none(), "{}", nested.text);
        for (text, reason) in [("a*", "empty"), ("(", "unclosed"), (r"\w{900}\w{900}", "compiled")] {
            let error = bound(text).err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn an_optional_start_goes() {
        assert_eq!(without_optional_start("(?i)[a-z]{0,50}?(?:key)=(x)").as_deref(), Some("(?i)(?:key)=(x)"));
        for kept in ["[a-z]{1,50}key", "(a)?key", "a|b", "(?i)x"] {
            assert_eq!(without_optional_start(kept), None, "{kept}");
        }
    }
}
