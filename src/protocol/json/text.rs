//! JSON strings: escapes undone and done.

use std::borrow::Cow;

/// The text of a string token's inside (without its quotes), which the reader has already found to be well formed.
/// Malformed escapes, which cannot occur then, become U+FFFD.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at(first);
    text.push_str(plain);
    while let Some(escaped) = rest.strip_prefix('\\') {
        let (char, after) = escape(escaped);
        text.push(char);
        let next = memchr::memchr(b'\\', after.as_bytes()).unwrap_or(after.len());
        let (plain, remaining) = after.split_at(next);
        text.push_str(plain);
        rest = remaining;
    }
    Cow::Owned(text)
}

/// The character of one escape (its backslash taken off), and what follows it.
fn escape(text: &str) -> (char, &str) {
    let mut chars = text.chars();
    let char = match chars.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{C}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(chars.as_str()),
        Some(char @ ('"' | '\\' | '/')) => char,
        _ => char::REPLACEMENT_CHARACTER,
    };
    (char, chars.as_str())
}

fn unicode(text: &str) -> (char, &str) {
    let Some((high, rest)) = hex4(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    if let Some(char) = char::from_u32(high) {
        return (char, rest);
    }
    let low = rest.strip_prefix("\\u").and_then(hex4);
    match low {
        Some((low, after)) => (pair(high, low).unwrap_or(char::REPLACEMENT_CHARACTER), after),
        None => (char::REPLACEMENT_CHARACTER, rest),
    }
}

/// The character of a surrogate pair; `None` when the halves do not fit.
pub(super) fn pair(high: u32, low: u32) -> Option<char> {
    let high = high.checked_sub(0xD800).filter(|&high| high < 0x400)?;
    let low = low.checked_sub(0xDC00).filter(|&low| low < 0x400)?;
    char::from_u32(0x10000 + (high << 10) + low)
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// Appends `text` as a JSON string with its quotes. U+0085, U+2028 and U+2029 are escaped too: some clients take them
/// for ends of lines in an event stream.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}' => {
                let code = u32::from(char);
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(char::from_digit((code >> shift) & 0xF, 16).unwrap_or('0'));
                }
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

/// `text` as a JSON string with its quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(text, &mut out);
    out
}
