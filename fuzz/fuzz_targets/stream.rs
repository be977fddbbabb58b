//! Made-up rules over made-up text: a stream in any pieces finds what the whole text shows, what the plain search finds, and
//! calls no byte safe that a later match holds.
//!
//! Input: rules in the notation of `shared/rule_lines.rs`, an empty line, and text in which "`" is a cut. Compiling rules costs
//! as much as searching a hundred short texts, so each input's rules judge many more texts, made of the input's own pieces.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::scan::Scanner;

#[path = "shared/agreement.rs"]
mod agreement;
#[path = "shared/draw.rs"]
mod draw;
#[path = "shared/rule_lines.rs"]
mod rule_lines;

/// Texts made of each input.
const TEXTS: usize = 32;

fuzz_target!(|data: &[u8]| -> Corpus {
    let input = String::from_utf8_lossy(data);
    let Some((lines, text)) = input.split_once("\n\n") else { return Corpus::Reject };
    let Some(scanner) = rule_lines::kept(lines) else { return Corpus::Reject };
    agree(&scanner, &text.split('`').collect::<Vec<_>>());
    let source: Vec<char> = text.chars().chain(lines.chars()).filter(|c| *c != '`').collect();
    let mut draw = draw::Draw::new(data);
    for _ in 0..TEXTS {
        let pieces = draw.pieces(&source);
        agree(&scanner, &pieces.iter().map(String::as_str).collect::<Vec<_>>());
    }
    Corpus::Keep
});

fn agree(scanner: &Scanner, chunks: &[&str]) {
    let text = chunks.concat();
    let expected = agreement::whole(scanner, &text, true);
    assert_eq!(agreement::streamed(scanner, chunks.iter().copied()), expected, "in chunks {chunks:?}");
    assert_eq!(agreement::streamed(scanner, text.split_inclusive(|_| true)), expected, "by character {text:?}");
    assert_eq!(agreement::streamed(scanner, [text.as_str()]), expected, "in one piece {text:?}");
}
