//! What the record may show of a matched text.

/// Characters of a matched text that the record shows at most.
const SHOWN: usize = 120;

/// Characters of a sensitive text that the record shows: enough to tell a key's kind, not the key.
const SENSITIVE_SHOWN: usize = 4;

/// The matched text, redacted: of a sensitive match (a secret, personal data) only the first characters and the length; of any
/// other the text itself, shortened, with every run of four or more digits masked and control characters made visible.
pub(super) fn of(text: &str, sensitive: bool) -> String {
    if sensitive {
        let shown = SENSITIVE_SHOWN.min(text.chars().count() / 4);
        let head: String = text.chars().take(shown).collect();
        return format!("{}… ({} bytes)", visible(&head), text.len());
    }
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", visible(&mask_digits(&cut)))
}

/// Control and invisible format characters as `\u{…}`: a reviewer is a target too.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(u32::from(c), 0xAD | 0x61C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F
                | 0xFEFF | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF)
    };
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

fn mask_digits(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if c.is_ascii_digit() { run + 1 } else { 0 };
        masked.push(if run > 3 { '•' } else { c });
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_secret_shows_its_kind_only() {
        assert_eq!(of("ghp_0123456789abcdefghij0123456789abcdef", true), "ghp_… (40 bytes)");
        assert_eq!(of("1234", true), "1… (4 bytes)");
        assert_eq!(of("", true), "… (0 bytes)");
    }

    #[test]
    fn other_text_is_cut_and_its_digits_masked() {
        assert_eq!(of("call 123 or 5551234", false), "call 123 or 555••••");
        assert!(of(&"ä".repeat(500), false).chars().count() == 121);
    }

    #[test]
    fn nothing_invisible_stays_invisible() {
        assert_eq!(of("a\u{202e}b\u{1b}[31m\u{e0041}", false), "a\\u{202e}b\\u{1b}[31m\\u{e0041}");
    }
}
