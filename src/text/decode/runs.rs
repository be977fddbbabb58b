//! Lines that carry on a run of the digits of an encoding.

use crate::base::Span;

/// Characters of a further line of the same run.
const LINE_MIN: usize = 4;

/// Where the run that goes on at `from` ends.
pub(super) fn run_end(bytes: &[u8], from: usize, is_digit: impl Fn(u8) -> bool) -> usize {
    from + bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| is_digit(**byte)).count())
}

/// The line after a line break at `at`, when it looks like more of the run and not like the first word of a sentence.
pub(super) fn next_line(bytes: &[u8], at: usize, is_digit: impl Fn(u8) -> bool) -> Option<Span> {
    let rest = bytes.get(at..)?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let indent = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let start = bytes.len() - rest.len() + indent;
    let line = Span::new(start, run_end(bytes, start, is_digit));
    let prose = matches!(bytes.get(line.end), Some(b' ' | b'\t' | b'.' | b',' | b'\''));
    (line.len() >= LINE_MIN && !prose).then_some(line)
}
