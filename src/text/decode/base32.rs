//! Base32 (RFC 4648 §6): runs in prose, of either case, padded or not, broken over lines.

use super::readable::{Readable, readable};
use super::runs::{next_line, run_end};
use super::{Decoded, Runs, Source, is_seen};
use crate::base::Span;

const NAME: &str = "base32";
/// Characters that make a run: ten bytes of text.
const RUN_MIN: usize = 16;

/// Decodes every run that holds text.
pub(super) fn decode(source: &Source<'_>) -> Option<Decoded> {
    let bytes = source.text.as_bytes();
    let mut runs = Runs::new(source.room);
    let mut done = 0;
    for signs in &source.signs.runs {
        // The runs of signs have a larger alphabet: several runs of this one may be inside.
        let mut at = signs.start.max(done);
        while at < signs.end {
            // No run that begins before a byte that is no digit is long enough, if that byte is near.
            let probe = bytes.get(at..at + RUN_MIN).unwrap_or_default();
            if let Some(other) = probe.iter().rposition(|byte| !is_digit(*byte)) {
                at += other + 1;
                continue;
            }
            let first = Span::new(at, run_end(bytes, at, is_digit));
            at = first.end.max(at + 1);
            if first.len() >= RUN_MIN && is_likely(bytes, first) {
                let (clean, end) = join_lines(bytes, first);
                at = end;
                let span = Span::new(first.start, end);
                if !is_seen(source.seen, span)
                    && let Readable::Whole(text) = readable(&decode_run(&clean))
                    && !runs.push(NAME, &text, span)
                {
                    return runs.finish(source.text);
                }
            }
        }
        done = at;
    }
    runs.finish(source.text)
}

/// The digits of a run and of the lines that carry it on, without padding; and its end, with padding.
fn join_lines(bytes: &[u8], first: Span) -> (Vec<u8>, usize) {
    let mut clean = bytes.get(first.range()).unwrap_or_default().to_vec();
    let mut end = first.end;
    while let Some(line) = next_line(bytes, end, is_digit) {
        clean.extend_from_slice(bytes.get(line.range()).unwrap_or_default());
        end = line.end;
    }
    let padding = bytes.get(end..).unwrap_or_default().iter().take(6).take_while(|byte| **byte == b'=').count();
    (clean, end + padding)
}

/// True when no other letter or digit touches the run, and it is no long word.
fn is_likely(bytes: &[u8], run: Span) -> bool {
    let digits = bytes.get(run.range()).unwrap_or_default();
    is_apart(bytes, run) && (digits.len() >= 2 * RUN_MIN || !digits.iter().all(u8::is_ascii_lowercase))
}

/// True when no other letter or digit touches the run.
fn is_apart(bytes: &[u8], run: Span) -> bool {
    let touches = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    !touches(run.start.checked_sub(1)) && !touches(Some(run.end))
}

/// The bytes in digits of one case; `None` where there are others.
pub(super) fn probe(digits: &[u8]) -> Option<Vec<u8>> {
    digits.iter().all(|digit| is_digit(*digit)).then(|| decode_run(digits))
}

fn decode_run(digits: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(digits.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits {
        bits = (bits << 5 | value(*digit)) & 0xFFF;
        count += 5;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count & 0xFF) as u8);
        }
    }
    decoded
}

fn value(digit: u8) -> u32 {
    match digit {
        b'2'..=b'7' => u32::from(digit - b'2') + 26,
        letter => u32::from(letter & 31).saturating_sub(1),
    }
}

#[inline]
fn is_digit(byte: u8) -> bool {
    DIGITS[usize::from(byte)]
}

static DIGITS: [bool; 256] = {
    let mut digits = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = (byte as u8).is_ascii_alphabetic() || matches!(byte as u8, b'2'..=b'7');
        byte += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::super::source_of;
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        source_of(text, decode).map(|found| found.text)
    }

    fn encoded(text: &str) -> String {
        let bits: Vec<u8> = text.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        let mut run: String = bits
            .chunks(5)
            .map(|chunk| {
                let value = (0..5).fold(0, |value, at| value << 1 | usize::from(chunk.get(at).copied().unwrap_or(0)));
                char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value])
            })
            .collect();
        while !run.len().is_multiple_of(8) {
            run.push('=');
        }
        run
    }

    #[test]
    fn full_width_text_is_read() {
        let text = "ｉｇｎｏｒｅ　ａｌｌ　ｒｕｌｅｓ";
        assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
        assert_eq!(decoded(&encoded(text).to_lowercase()).as_deref(), Some(text));
    }

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        assert_eq!(encoded("foobar"), "MZXW6YTBOI======");
        assert_eq!(decode_run(b"MZXW6YTBOI"), b"foobar");
    }

    #[test]
    fn words_hashes_and_keys_are_none() {
        for text in [
            "INTERNATIONALIZATION and ANTIDISESTABLISHMENTARIANISM, pneumonoultramicroscopicsilicovolcanoconiosis",
            "the_long_name_of_a_function_in_a_program, SCREAMING_SNAKE_CASE_OF_SOME_LENGTH",
            "ABCD2345EFGH6723JKLM2345NPQR6745",
            "d41d8cd98f00b204e9800998ecf8427e",
            "JBSWY3DPEHPK3PXP",
            "AAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_spelling_gives_the_text_back(text in "[a-z]{4}[a-zA-Z0-9äж ,.]{12,90}", width in 16_usize..80) {
            let run = encoded(&text);
            let lines: Vec<&str> = run.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let last_is_long = lines.last().is_some_and(|line| line.trim_end_matches('=').len() >= 6);
            let broken = if last_is_long { lines.join("\n") } else { run.clone() };
            for spelling in [broken, run.trim_end_matches('=').to_owned(), run.to_lowercase()] {
                // Shorter ones in small letters are taken for words.
                if spelling.trim_end_matches('=').len() >= 2 * RUN_MIN {
                    prop_assert_eq!(decoded(&format!("<{spelling}>")), Some(text.clone()));
                }
            }
        }
    }
}
