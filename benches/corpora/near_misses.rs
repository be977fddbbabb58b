//! Hostile text without a match worth the name: beginnings of what patterns look for, which break off, among words of English.

use portcullis::rules::PatternKind;
use portcullis::scan::{Context, Scanner};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::draw::Draw;
use super::{Corpus, DOCUMENT_BYTES, boundary, filled};

/// What a pattern looks for.
pub enum Shape {
    Literal(String),
    Regex(Hir),
}

/// A repeat that may go on forever goes on for so many more.
const REPEATS_MORE: usize = 6;

/// Literals and regexes of the rules that apply.
pub fn shapes(scanner: &Scanner, context: Context) -> Vec<Shape> {
    let rules = scanner.rules().iter().filter(|(_, rule)| rule.applies(context.direction, context.role));
    let shapes = rules.flat_map(|(_, rule)| &rule.written).filter_map(|pattern| match pattern.kind {
        PatternKind::Literal => Some(Shape::Literal(pattern.text.clone())),
        PatternKind::Regex => regex_syntax::parse(&pattern.text).ok().map(Shape::Regex),
        _ => None,
    });
    shapes.collect()
}

/// Documents of beginnings, sixty to ninety-eight in a hundred of each, one beside the other or with a word of `clean` between.
pub fn near_misses(shapes: &[Shape], clean: &Corpus) -> Corpus {
    let words: Vec<&str> = clean.documents.iter().flat_map(|document| document.split_whitespace()).collect();
    let documents = filled(6, |draw| {
        let mut text = String::new();
        while text.len() < DOCUMENT_BYTES {
            let mut whole = String::new();
            match &shapes[draw.below(shapes.len())] {
                Shape::Literal(literal) => whole.push_str(literal),
                Shape::Regex(hir) => write(hir, draw, &mut whole),
            }
            let end = whole.len() * (60 + draw.below(39)) / 100;
            text.push_str(&whole[..boundary(&whole, end)]);
            if draw.once_in(2) {
                text.push(' ');
                text.push_str(words[draw.below(words.len())]);
                text.push(' ');
            }
        }
        text
    });
    Corpus::new("near misses", documents)
}

/// A text that the expression matches, but for look-around.
fn write(hir: &Hir, draw: &mut Draw, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => out.extend(member(class, draw)),
        HirKind::Repetition(repetition) => {
            let least = repetition.min as usize;
            let most = repetition.max.map_or(least + REPEATS_MORE, |most| (most as usize).min(least + REPEATS_MORE));
            for _ in 0..least + draw.below(most - least + 1) {
                write(&repetition.sub, draw, out);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, draw, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, draw, out)),
        HirKind::Alternation(parts) => write(&parts[draw.below(parts.len())], draw, out),
    }
}

/// A character of a class; an ASCII one where a large class has some.
fn member(class: &Class, draw: &mut Draw) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let printable = ranges.iter().filter(|(start, end)| *start < 0x7F && *end >= 0x20);
    let mut ascii: Vec<(u32, u32)> = printable.map(|(start, end)| ((*start).max(0x20), (*end).min(0x7E))).collect();
    if ascii.is_empty() {
        ascii = ranges;
    }
    let (start, end) = *ascii.get(draw.below(ascii.len()))?;
    char::from_u32(start + u32::try_from(draw.below((end - start + 1) as usize)).unwrap_or_default())
}
