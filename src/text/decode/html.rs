//! HTML character references (HTML Living Standard §13.2.5.72 ff.): numeric, and the named ones that text is written with.

/// The encoding's name.
pub(super) const NAME: &str = "html";

/// Leading zeros and digits of a numeric reference; browsers know no bound, readers do.
const DIGITS_MAX: usize = 32;
/// Letters of the longest name in the table, and one more.
const NAME_MAX: usize = 17;

/// One character, from a text that starts with `&`: how many bytes it takes, and what it is.
pub(super) fn character(bytes: &[u8]) -> Option<(usize, char)> {
    match bytes {
        [b'&', b'#', b'x' | b'X', rest @ ..] => numeric(rest, 16).map(|(length, c)| (length + 3, c)),
        [b'&', b'#', rest @ ..] => numeric(rest, 10).map(|(length, c)| (length + 2, c)),
        [b'&', rest @ ..] => named(rest).map(|(length, c)| (length + 1, c)),
        _ => None,
    }
}

fn numeric(bytes: &[u8], radix: u32) -> Option<(usize, char)> {
    let length = bytes.iter().take(DIGITS_MAX).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let digits = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    Some((length + usize::from(bytes.get(length) == Some(&b';')), c))
}

fn named(bytes: &[u8]) -> Option<(usize, char)> {
    let length = bytes.iter().take(NAME_MAX).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let ended = bytes.get(length) == Some(&b';');
    if !ended && !matches!(name, "amp" | "AMP" | "gt" | "GT" | "lt" | "LT" | "nbsp" | "quot" | "QUOT" | "shy") {
        return None;
    }
    let index = NAMES.binary_search_by_key(&name, |(known, _)| known).ok()?;
    NAMES.get(index).map(|(_, c)| (length + usize::from(ended), *c))
}

/// (name, character), sorted by name.
#[rustfmt::skip]
const NAMES: &[(&str, char)] = &[
    ("AElig", '\u{C6}'), ("AMP", '\u{26}'), ("Aacute", '\u{C1}'), ("Acirc", '\u{C2}'), ("Agrave", '\u{C0}'),
    ("Aring", '\u{C5}'), ("Atilde", '\u{C3}'), ("Auml", '\u{C4}'), ("Ccedil", '\u{C7}'),
    ("DiacriticalGrave", '\u{60}'), ("ETH", '\u{D0}'), ("Eacute", '\u{C9}'), ("Ecirc", '\u{CA}'),
    ("Egrave", '\u{C8}'), ("Euml", '\u{CB}'), ("GT", '\u{3E}'), ("Hat", '\u{5E}'), ("Iacute", '\u{CD}'),
    ("Icirc", '\u{CE}'), ("Igrave", '\u{CC}'), ("Iuml", '\u{CF}'), ("LT", '\u{3C}'), ("NewLine", '\u{A}'),
    ("NoBreak", '\u{2060}'), ("NonBreakingSpace", '\u{A0}'), ("Ntilde", '\u{D1}'), ("OElig", '\u{152}'),
    ("Oacute", '\u{D3}'), ("Ocirc", '\u{D4}'), ("Ograve", '\u{D2}'), ("Oslash", '\u{D8}'), ("Otilde", '\u{D5}'),
    ("Ouml", '\u{D6}'), ("QUOT", '\u{22}'), ("Scaron", '\u{160}'), ("THORN", '\u{DE}'), ("Tab", '\u{9}'),
    ("ThinSpace", '\u{2009}'), ("Uacute", '\u{DA}'), ("Ucirc", '\u{DB}'), ("Ugrave", '\u{D9}'),
    ("UnderBar", '\u{5F}'), ("Uuml", '\u{DC}'), ("VerticalLine", '\u{7C}'), ("Yacute", '\u{DD}'),
    ("ZeroWidthSpace", '\u{200B}'), ("aacute", '\u{E1}'), ("acirc", '\u{E2}'), ("aelig", '\u{E6}'),
    ("agrave", '\u{E0}'), ("amp", '\u{26}'), ("apos", '\u{27}'), ("aring", '\u{E5}'), ("ast", '\u{2A}'),
    ("atilde", '\u{E3}'), ("auml", '\u{E4}'), ("bdquo", '\u{201E}'), ("bsol", '\u{5C}'), ("bull", '\u{2022}'),
    ("ccedil", '\u{E7}'), ("cent", '\u{A2}'), ("centerdot", '\u{B7}'), ("check", '\u{2713}'), ("colon", '\u{3A}'),
    ("comma", '\u{2C}'), ("commat", '\u{40}'), ("copy", '\u{A9}'), ("cross", '\u{2717}'), ("darr", '\u{2193}'),
    ("dash", '\u{2010}'), ("deg", '\u{B0}'), ("divide", '\u{F7}'), ("dollar", '\u{24}'), ("eacute", '\u{E9}'),
    ("ecirc", '\u{EA}'), ("egrave", '\u{E8}'), ("emsp", '\u{2003}'), ("emsp13", '\u{2004}'), ("emsp14", '\u{2005}'),
    ("ensp", '\u{2002}'), ("equals", '\u{3D}'), ("eth", '\u{F0}'), ("euml", '\u{EB}'), ("euro", '\u{20AC}'),
    ("excl", '\u{21}'), ("ffilig", '\u{FB03}'), ("fflig", '\u{FB00}'), ("ffllig", '\u{FB04}'), ("filig", '\u{FB01}'),
    ("fllig", '\u{FB02}'), ("frac12", '\u{BD}'), ("frac14", '\u{BC}'), ("frac34", '\u{BE}'), ("grave", '\u{60}'),
    ("gt", '\u{3E}'), ("hairsp", '\u{200A}'), ("harr", '\u{2194}'), ("hearts", '\u{2665}'), ("hellip", '\u{2026}'),
    ("horbar", '\u{2015}'), ("hyphen", '\u{2010}'), ("iacute", '\u{ED}'), ("icirc", '\u{EE}'), ("iexcl", '\u{A1}'),
    ("igrave", '\u{EC}'), ("inodot", '\u{131}'), ("iquest", '\u{BF}'), ("iuml", '\u{EF}'), ("laquo", '\u{AB}'),
    ("larr", '\u{2190}'), ("lbrace", '\u{7B}'), ("lbrack", '\u{5B}'), ("lcub", '\u{7B}'), ("ldquo", '\u{201C}'),
    ("ldquor", '\u{201E}'), ("lowbar", '\u{5F}'), ("lpar", '\u{28}'), ("lrm", '\u{200E}'), ("lsaquo", '\u{2039}'),
    ("lsqb", '\u{5B}'), ("lsquo", '\u{2018}'), ("lsquor", '\u{201A}'), ("lt", '\u{3C}'), ("mdash", '\u{2014}'),
    ("midast", '\u{2A}'), ("middot", '\u{B7}'), ("mldr", '\u{2026}'), ("nbsp", '\u{A0}'), ("ndash", '\u{2013}'),
    ("ntilde", '\u{F1}'), ("num", '\u{23}'), ("numsp", '\u{2007}'), ("oacute", '\u{F3}'), ("ocirc", '\u{F4}'),
    ("oelig", '\u{153}'), ("ograve", '\u{F2}'), ("oslash", '\u{F8}'), ("otilde", '\u{F5}'), ("ouml", '\u{F6}'),
    ("para", '\u{B6}'), ("percnt", '\u{25}'), ("period", '\u{2E}'), ("plus", '\u{2B}'), ("plusmn", '\u{B1}'),
    ("pound", '\u{A3}'), ("puncsp", '\u{2008}'), ("quest", '\u{3F}'), ("quot", '\u{22}'), ("raquo", '\u{BB}'),
    ("rarr", '\u{2192}'), ("rbrace", '\u{7D}'), ("rbrack", '\u{5D}'), ("rcub", '\u{7D}'), ("rdquo", '\u{201D}'),
    ("reg", '\u{AE}'), ("rlm", '\u{200F}'), ("rpar", '\u{29}'), ("rsaquo", '\u{203A}'), ("rsqb", '\u{5D}'),
    ("rsquo", '\u{2019}'), ("sbquo", '\u{201A}'), ("scaron", '\u{161}'), ("sect", '\u{A7}'), ("semi", '\u{3B}'),
    ("shy", '\u{AD}'), ("sol", '\u{2F}'), ("star", '\u{2606}'), ("szlig", '\u{DF}'), ("thinsp", '\u{2009}'),
    ("thorn", '\u{FE}'), ("times", '\u{D7}'), ("trade", '\u{2122}'), ("uacute", '\u{FA}'), ("uarr", '\u{2191}'),
    ("ucirc", '\u{FB}'), ("ugrave", '\u{F9}'), ("uuml", '\u{FC}'), ("verbar", '\u{7C}'), ("vert", '\u{7C}'),
    ("yacute", '\u{FD}'), ("yen", '\u{A5}'), ("yuml", '\u{FF}'), ("zwj", '\u{200D}'), ("zwnj", '\u{200C}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_short_enough() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(NAMES.iter().all(|(name, _)| name.len() < NAME_MAX));
    }

    #[test]
    fn every_form_is_read() {
        for (text, expected) in [
            ("&#105;gnore", (6, 'i')),
            ("&#x69;", (6, 'i')),
            ("&#X00069", (8, 'i')),
            ("&#105 ", (5, 'i')),
            ("&amp;lt;", (5, '&')),
            ("&lt x", (3, '<')),
            ("&colon;", (7, ':')),
            ("&ZeroWidthSpace;", (16, '\u{200B}')),
        ] {
            assert_eq!(character(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["&", "&;", "&#;", "&#x;", "&#xD800;", "&#99999999999;", "&copy", "&nosuch;", "a&b", "& amp;"] {
            assert_eq!(character(text.as_bytes()), None, "{text}");
        }
    }
}
