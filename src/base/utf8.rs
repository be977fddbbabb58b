//! Files that must be UTF-8: where they are not.

/// Bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is not UTF-8: line {line}, byte {byte}")]
pub struct NotUtf8 {
    /// The line of the first wrong byte, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// Bytes before it.
    pub byte: usize,
    /// The bytes begin as UTF-16 does.
    pub is_utf16: bool,
}

impl NotUtf8 {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        if self.is_utf16 {
            "it is UTF-16: convert it first, `iconv -f utf-16 -t utf-8`, or save it as UTF-8 in an editor"
        } else {
            "convert it first: `iconv -f latin1 -t utf-8`, or save it as UTF-8 in an editor"
        }
    }
}

/// The bytes as text.
///
/// # Errors
/// The place of the first byte that is no UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, NotUtf8> {
    std::str::from_utf8(bytes).map_err(|error| {
        let byte = error.valid_up_to();
        let good = String::from_utf8_lossy(bytes.get(..byte).unwrap_or_default());
        let last = good.rsplit('\n').next().unwrap_or_default();
        let is_utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
        NotUtf8 { line: good.matches('\n').count() + 1, column: last.chars().count() + 1, byte, is_utf16 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_byte_is_named() {
        assert_eq!(text("ä\n".as_bytes()), Ok("ä\n"));
        let found = text(b"a: \xc3\xa4\nb\xc3\xa4: \xe4 \xff").unwrap_err();
        assert_eq!(found, NotUtf8 { line: 2, column: 5, byte: 11, is_utf16: false });
        assert_eq!(found.to_string(), "it is not UTF-8: line 2, byte 11");
        assert_eq!(text(&[0xff]).unwrap_err(), NotUtf8 { line: 1, column: 1, byte: 0, is_utf16: false });
        assert!(text(&[0xff]).unwrap_err().help().contains("-f latin1"));
        for utf16 in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a"] {
            assert!(text(utf16).unwrap_err().help().contains("-f utf-16"));
        }
    }
}
