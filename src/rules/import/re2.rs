//! Regexes of Go's `regexp` (RE2) in the syntax of the `regex` crate.
//!
//! They differ in little: Go's `\d`, `\w` and `\s` are ASCII; `[`, `&&` and `~~` mean nothing inside a class; `{` that begins no
//! repeat is a character; `\Q…\E` and octal escapes exist; `\<` is a character.
//! <https://github.com/google/re2/wiki/Syntax>

use std::iter::Peekable;
use std::str::Chars;

/// Translates. The error says what has no counterpart.
pub(super) fn translate(go: &str) -> Result<String, String> {
    let mut out = String::with_capacity(go.len());
    let mut rest = go.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out)?,
            '[' => class(&mut rest, &mut out)?,
            '{' if !is_repeat(rest.clone()) => out.push_str("\\{"),
            '(' => {
                out.push('(');
                let head: String = rest.clone().take(3).collect();
                if ["?=", "?!", "?<=", "?<!", "?>"].iter().any(|look| head.starts_with(look)) {
                    return Err(format!("`({}` is neither in RE2 nor here: no look-around", head.trim_end()));
                }
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// True when what follows `{` makes it a repeat: `n}`, `n,}` or `n,m}`.
fn is_repeat(rest: Peekable<Chars<'_>>) -> bool {
    let text: String = rest.take_while(|c| *c != '}').take(12).collect();
    let (min, max) = text.split_once(',').unwrap_or((&text, "0"));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    !min.is_empty() && is_number(min) && is_number(max)
}

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r"\t\n\x0C\r ";

/// The ASCII class of a Perl escape, and whether it is negated.
fn perl(c: char) -> Option<(&'static str, bool)> {
    let class = match c.to_ascii_lowercase() {
        'd' => DIGIT,
        'w' => WORD,
        's' => SPACE,
        _ => return None,
    };
    Some((class, c.is_ascii_uppercase()))
}

fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let Some(c) = rest.next() else { return Err("it ends with a backslash".to_owned()) };
    if let Some((class, negated)) = perl(c) {
        out.push_str(if negated { "[^" } else { "[" });
        out.push_str(class);
        out.push(']');
        return Ok(());
    }
    match c {
        'Q' => {
            let mut quoted = String::new();
            while let Some(c) = rest.next() {
                if c == '\\' && rest.peek() == Some(&'E') {
                    rest.next();
                    break;
                }
                quoted.push(c);
            }
            out.push_str(&regex_syntax::escape(&quoted));
        }
        'p' | 'P' => property(c, rest, out)?,
        'b' | 'B' | 'A' | 'z' => out.extend(['\\', c]),
        'C' => return Err(r"`\C` matches a byte, rules match characters".to_owned()),
        c => one(c, rest, out)?,
    }
    Ok(())
}

/// A Unicode property after its `\p` or `\P`: one letter, or a name in braces, before which `^` negates.
fn property(c: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let mut name = match rest.next() {
        None => return Err(format!(r"`\{c}` ends without the name of a property")),
        Some('{') => String::new(),
        Some(letter) => {
            out.extend(['\\', c, letter]);
            return Ok(());
        }
    };
    loop {
        match rest.next() {
            None => return Err("the name of a property is not closed".to_owned()),
            Some('}') => break,
            Some(part) => name.push(part),
        }
    }
    let (is_negated, name) = name.strip_prefix('^').map_or((c == 'P', &*name), |name| (c == 'p', name));
    out.extend(['\\', if is_negated { 'P' } else { 'p' }, '{']);
    out.push_str(name);
    out.push('}');
    Ok(())
}

/// An escape that stands for one character, in a class or outside.
fn one(c: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    match c {
        '0'..='7' => {
            let mut value = c.to_digit(8).unwrap_or_default();
            let mut digits = 1;
            while let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)).filter(|_| digits < 3) {
                value = value * 8 + digit;
                digits += 1;
                rest.next();
            }
            if c != '0' && digits == 1 {
                return Err(format!(r"`\{c}` is a back-reference"));
            }
            out.push_str(&format!("\\x{{{value:x}}}"));
        }
        '<' | '>' => out.push(c),
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' => out.extend(['\\', c]),
        c if c.is_ascii_punctuation() => out.extend(['\\', c]),
        c => return Err(format!(r"`\{c}` is no escape of RE2")),
    }
    Ok(())
}

/// A class, after its `[`.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    out.push('[');
    if rest.peek() == Some(&'^') {
        rest.next();
        out.push('^');
    }
    let mut is_first = true;
    // The item before is one character, so that `-` could make a range of it.
    let mut is_single = false;
    loop {
        let Some(c) = rest.next() else { return Err("a class is not closed".to_owned()) };
        match c {
            ']' if !is_first => break,
            '[' if rest.peek() == Some(&':') => {
                let text: String = rest.clone().collect();
                let Some(end) = text.find(":]") else { return Err("a named class is not closed".to_owned()) };
                out.push('[');
                out.extend(rest.by_ref().take(text.get(..end + 2).unwrap_or_default().chars().count()));
                is_single = false;
            }
            '-' if is_single && !matches!(rest.peek(), Some(']') | None) => {
                out.push('-');
                let Some(high) = rest.next() else { return Err("a class is not closed".to_owned()) };
                item(high, rest, out)?;
                is_single = false;
            }
            '\\' if rest.peek().is_some_and(|c| perl(*c).is_some()) => {
                let (class, negated) = rest.next().and_then(perl).unwrap_or((WORD, false));
                out.push_str(&if negated { format!("[^{class}]") } else { class.to_owned() });
                is_single = false;
            }
            '\\' if matches!(rest.peek(), Some('p' | 'P')) => {
                let c = rest.next().unwrap_or('p');
                property(c, rest, out)?;
                is_single = false;
            }
            c => {
                item(c, rest, out)?;
                is_single = true;
            }
        }
        is_first = false;
    }
    out.push(']');
    Ok(())
}

/// One character of a class.
fn item(c: char, rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    match c {
        '\\' => {
            let Some(c) = rest.next() else { return Err("it ends with a backslash".to_owned()) };
            one(c, rest, out)?;
            if c == 'x' {
                // Its digits are no items of their own.
                let braced = rest.peek() == Some(&'{');
                let mut taken = 0;
                while let Some(c) = rest
                    .next_if(|c| if braced { taken == 0 || *c != '\u{0}' } else { taken < 2 && c.is_ascii_hexdigit() })
                {
                    out.push(c);
                    taken += 1;
                    if braced && c == '}' {
                        break;
                    }
                }
            }
        }
        '[' | ']' | '&' | '~' | '-' | '^' => out.extend(['\\', c]),
        c => out.push(c),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use super::*;

    #[track_caller]
    fn agrees(go: &str, found: &[&str], passed: &[&str]) {
        let regex = Regex::new(&translate(go).unwrap()).unwrap_or_else(|error| panic!("{go}: {error:?}"));
        for text in found {
            assert!(regex.is_match(text), "{go} {} {text:?}", translate(go).unwrap());
        }
        for text in passed {
            assert!(!regex.is_match(text), "{go} {} {text:?}", translate(go).unwrap());
        }
    }

    #[test]
    fn classes_are_ascii() {
        agrees(r"^\d\w\s$", &["1a "], &["٣a ", "1ä ", "1a\u{a0}"]);
        agrees(r"^[\d_-]+$", &["1_-"], &["٣"]);
        agrees(r"^[^\W\d]+$", &["abc_"], &["a1", "ä"]);
        agrees(r"^[[:alpha:]-]\D\S$", &["-xx", "axx"], &["1xx", "a1x"]);
    }

    #[test]
    fn classes_have_no_sets_inside() {
        agrees("^[a[b]$", &["a", "[", "b"], &["c"]);
        agrees("^[a&&b~~c]$", &["&", "~", "a"], &["x"]);
        agrees("^[]a]$", &["]", "a"], &["b"]);
        agrees("^[^]a]$", &["b"], &["]", "a"]);
        agrees("^[+--]$", &["+", ",", "-"], &["."]);
        agrees(r"^[\w-.]$", &["-", ".", "a"], &["+"]);
        agrees("^[a-c-e]$", &["b", "-", "e"], &["d"]);
        agrees(r"^[\x60-\x62\x{63}]$", &["`", "a", "b", "c"], &["d"]);
        agrees(r"^[\pL\p{Nd}x]$", &["é", "٣", "x"], &["-"]);
    }

    #[test]
    fn braces_quotes_and_octals() {
        agrees("^a{,5}b{x}$", &["a{,5}b{x}"], &["aab"]);
        agrees("^a{2}b{1,}c{1,2}$", &["aabbcc"], &["abc"]);
        agrees(r"^\Qa.b[\E+$", &["a.b[", "a.b[["], &["axb["]);
        agrees(r"^\<\>\_\101\x41$", &["<>_AA"], &[]);
        agrees(r"^\p{L}\pN\P{Greek}[^\p{L}]\p{Lu}{2}$", &["é1a-AB"], &["11a-AB", "é1a-Ab", "é1λ-AB"]);
        agrees(r"^\p{^L}\P{^L}[\p{^Greek}]$", &["1éa"], &["ééa", "11a", "1éλ"]);
        agrees("(?i)^(?P<x>k)(?:y)(?s:.)$", &["KY\n"], &["ky"]);
    }

    #[test]
    fn what_has_no_counterpart_is_said() {
        for (go, reason) in [
            ("(?=x)", "look-around"),
            ("(?<!x)y", "look-around"),
            (r"(a)\1", "back-reference"),
            (r"\C", "byte"),
            (r"\y", "no escape"),
            ("[a", "not closed"),
            ("a\\", "backslash"),
            (r"a\p", "without the name"),
            (r"a\p{L", "not closed"),
            (r"[\p{L]", "not closed"),
        ] {
            let error = translate(go).unwrap_err();
            assert!(error.contains(reason), "{go}: {error}");
        }
    }
}
