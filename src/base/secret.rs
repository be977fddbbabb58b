//! A value that never shows itself.

use std::fmt;

use zeroize::Zeroizing;

/// A secret string: wiped from memory when dropped, never printed by `Debug`, not `Display`, not serialisable.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in; surrounding white space (a file's last newline) is not part of a secret.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The secret itself. Call it only where the bytes are put on a wire or hashed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
