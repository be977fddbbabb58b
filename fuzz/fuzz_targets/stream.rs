//! Made-up rules over made-up text: a stream in any pieces finds what the whole text shows, what the plain search finds, and
//! calls no byte safe that a later match holds.
//!
//! Input: rules in the notation of `shared/rule_lines.rs`, an empty line, and text in which "`" is a cut. Compiling rules costs
//! as much as searching a hundred short texts, so each input's rules judge many more texts, made of the input's own pieces.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use portcullis::scan::Scanner;

#[path = "shared/agreement.rs"]
mod agreement;
#[path = "shared/rule_lines.rs"]
mod rule_lines;

/// Scanners kept, so that mutations of the text alone need not compile the rules again.
const SCANNERS_MAX: usize = 64;
/// Texts made of each input, the pieces of each, and characters of a piece.
const TEXTS: usize = 32;
const PIECES_MAX: usize = 12;
const PIECE_CHARS_MAX: usize = 9;

thread_local! {
    static SCANNERS: RefCell<Vec<(String, Option<Scanner>)>> = const { RefCell::new(Vec::new()) };
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let input = String::from_utf8_lossy(data);
    let Some((lines, text)) = input.split_once("\n\n") else { return Corpus::Reject };
    let Some(scanner) = scanner(lines) else { return Corpus::Reject };
    agree(&scanner, &text.split('`').collect::<Vec<_>>());
    let source: Vec<char> = text.chars().chain(lines.chars()).filter(|c| *c != '`').collect();
    let mut draw = Draw::new(data);
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

fn scanner(lines: &str) -> Option<Scanner> {
    SCANNERS.with_borrow_mut(|kept| {
        if let Some((_, scanner)) = kept.iter().find(|(known, _)| known == lines) {
            return scanner.clone();
        }
        if kept.len() >= SCANNERS_MAX {
            kept.clear();
        }
        let scanner = rule_lines::scanner(lines);
        kept.push((lines.to_owned(), scanner.clone()));
        scanner
    })
}

/// Numbers that look random and are the same for the same input.
struct Draw(u64);

impl Draw {
    /// FNV-1a.
    fn new(data: &[u8]) -> Self {
        Self(
            data.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)),
        )
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }

    /// Runs of the source's characters, each sometimes several times.
    fn pieces(&mut self, source: &[char]) -> Vec<String> {
        let count = self.below(PIECES_MAX);
        (0..count)
            .map(|_| {
                let start = self.below(source.len());
                let run: String = source.iter().skip(start).take(1 + self.below(PIECE_CHARS_MAX)).collect();
                run.repeat(if self.below(4) == 0 { 1 + self.below(4) } else { 1 })
            })
            .collect()
    }
}
