//! Runs of the digits of an encoding: where they begin and end, and where they go on in the next line.

use crate::base::Span;

/// Characters of a further line of the same run.
const LINE_MIN: usize = 4;

/// The next run of at least `least` digits. Looks at every `least`th byte first: no run fits between two that are no digits.
#[inline]
pub(super) fn next_run(bytes: &[u8], from: usize, least: usize, is_digit: fn(u8) -> bool) -> Option<Span> {
    let mut at = from;
    loop {
        let probe = at + least - 1;
        if !is_digit(*bytes.get(probe)?) {
            at = probe + 1;
            continue;
        }
        let before = bytes.get(at..probe)?.iter().rev().take_while(|byte| is_digit(**byte)).count();
        if before < least - 1 {
            // It began after `at`: the probe of the next run is that much further on.
            at = probe - before;
            if bytes.get(probe + 1..at + least).is_some_and(|rest| rest.iter().all(|byte| is_digit(*byte))) {
                return Some(Span::new(at, run_end(bytes, at + least, is_digit)));
            }
            at = run_end(bytes, probe, is_digit);
            continue;
        }
        return Some(Span::new(probe - before, run_end(bytes, probe, is_digit)));
    }
}

/// Where the run that goes on at `from` ends.
#[inline]
pub(super) fn run_end(bytes: &[u8], from: usize, is_digit: fn(u8) -> bool) -> usize {
    from + bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| is_digit(**byte)).count())
}

/// The line after a line break at `at`, when it looks like more of the run and not like the first word of a sentence.
pub(super) fn next_line(bytes: &[u8], at: usize, is_digit: fn(u8) -> bool) -> Option<Span> {
    let rest = bytes.get(at..)?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let indent = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let start = bytes.len() - rest.len() + indent;
    let line = Span::new(start, run_end(bytes, start, is_digit));
    let prose = matches!(bytes.get(line.end), Some(b' ' | b'\t' | b'.' | b',' | b'\''));
    (line.len() >= LINE_MIN && !prose).then_some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn every_run_is_found(text in "[a. ]{0,60}", least in 1_usize..6) {
            let is_digit: fn(u8) -> bool = |byte| byte == b'a';
            let mut found = Vec::new();
            let mut at = 0;
            while let Some(run) = next_run(text.as_bytes(), at, least, is_digit) {
                found.push(&text[run.range()]);
                at = run.end;
            }
            let expected: Vec<&str> =
                text.split(|c| c != 'a').filter(|run| run.len() >= least).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
