//! How a text is written inside a string of JSON, and inside strings of strings.

/// True for a text that a string of JSON does not hold as it is.
pub(super) fn is_escaped(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
}

/// The text inside `depth` documents, each a string of the one around it; 0: as it is. `None`: that has more than `most`
/// bytes, which is told before it is written, since it doubles with every document.
pub(super) fn written(text: &str, depth: usize, most: usize) -> Option<String> {
    let Some(outer) = depth.checked_sub(1) else { return (text.len() <= most).then(|| text.to_owned()) };
    // Every document doubles the backslashes of the one inside it, and gives a quote one of its own.
    let half = 1_usize.checked_shl(u32::try_from(outer).ok()?)?;
    let whole = half.checked_mul(2)?;
    let length = |byte: u8| match (byte, short(byte)) {
        (b'"' | b'\\', _) => whole,
        (0..b' ', Some(_)) => half.saturating_add(1),
        (0..b' ', None) => half.saturating_add(5),
        _ => 1,
    };
    let bytes = text.bytes().try_fold(0_usize, |sum, byte| sum.checked_add(length(byte)).filter(|sum| *sum <= most))?;
    let mut out = String::with_capacity(bytes);
    let backslashes = |out: &mut String, count: usize| out.extend(std::iter::repeat_n('\\', count));
    for c in text.chars() {
        match (c, u8::try_from(c).ok().and_then(short)) {
            ('"', _) => backslashes(&mut out, whole - 1),
            ('\\', _) => backslashes(&mut out, whole - 1),
            (_, Some(letter)) => {
                backslashes(&mut out, half);
                out.push(letter);
                continue;
            }
            ('\0'..' ', None) => {
                backslashes(&mut out, half);
                out.push_str(&format!("u{:04x}", u32::from(c)));
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    Some(out)
}

/// The letter of a control character that has one.
fn short(byte: u8) -> Option<char> {
    Some(match byte {
        0x08 => 'b',
        0x0C => 'f',
        b'\n' => 'n',
        b'\r' => 'r',
        b'\t' => 't',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, document by document, as the library writes them.
    fn slowly(text: &str, depth: usize) -> String {
        (0..depth).fold(text.to_owned(), |text, _| {
            let quoted = serde_json::Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        })
    }

    #[test]
    fn every_character_is_written_as_the_library_writes_it() {
        let all: String = (0..=0x2FF).filter_map(char::from_u32).chain("\u{2028}\u{1F600}".chars()).collect();
        for depth in 0..=8 {
            assert_eq!(written(&all, depth, usize::MAX).unwrap(), slowly(&all, depth), "{depth}");
        }
        for c in all.chars().map(String::from) {
            assert_eq!(is_escaped(&c), slowly(&c, 1) != c, "{c:?}");
        }
    }

    #[test]
    fn what_is_written_is_bounded_at_n_and_n_plus_1() {
        for depth in 0..=4 {
            let form = slowly("a \"b\" \\c\n\u{1}\u{e9}", depth);
            assert_eq!(written("a \"b\" \\c\n\u{1}\u{e9}", depth, form.len()), Some(form.clone()), "{depth}");
            assert_eq!(written("a \"b\" \\c\n\u{1}\u{e9}", depth, form.len() - 1), None, "{depth}");
        }
        // What would be written is not: there is no room for it.
        assert_eq!(written(&"\\".repeat(1 << 16), 40, 1 << 32), None);
        assert_eq!(written("\"", usize::MAX, usize::MAX), None);
    }
}
