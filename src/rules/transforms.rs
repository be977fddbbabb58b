//! Which decoded readings of a text a rule judges. The text as sent and its canonical form are judged in any case.

use serde::{Serialize, Serializer};

use super::set::Target;

/// What is undone for a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transforms {
    /// Everything, disguises of words too.
    All,
    /// What turns bytes into other bytes (base64 and its like), and no disguise of words.
    Encodings,
    /// These alone, also inside each other. None: no decoded text.
    Only(Vec<&'static str>),
}

/// What turns bytes into other bytes. Text of this kind is rare by chance.
pub const ENCODINGS: [&str; 10] =
    ["base32", "base64", "binary", "decimal", "escape", "hex", "html", "octal", "percent", "quoted_printable"];

/// Words written otherwise.
pub const DISGUISES: [&str; 13] = [
    "atbash",
    "caesar",
    "invisible",
    "jamo",
    "joined",
    "leetspeak",
    "markup",
    "morse",
    "reversed",
    "reversed_words",
    "rot13",
    "spaced",
    "split",
];

impl Transforms {
    /// What a rule wants that says nothing: rules of canonical text are about words, which are disguised; rules of raw text
    /// are about bytes.
    pub(super) fn usual(target: Target) -> Self {
        match target {
            Target::Canonical => Self::All,
            Target::Raw => Self::Encodings,
        }
    }

    /// True when a text is judged that undoing these has made, outermost first.
    pub fn reads(&self, undone: &[&str]) -> bool {
        match self {
            Self::All => true,
            // Named is what is left out: an encoding that is not known here is judged rather than passed over.
            Self::Encodings => !undone.iter().any(|name| DISGUISES.contains(name)),
            Self::Only(names) => undone.iter().all(|name| names.contains(name)),
        }
    }
}

impl Serialize for Transforms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Encodings => serializer.serialize_str("encodings"),
            Self::Only(names) => names.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_must_be_allowed() {
        let only = Transforms::Only(vec!["base64", "hex"]);
        assert!(only.reads(&["base64"]) && only.reads(&["hex", "base64"]) && !only.reads(&["hex", "html"]));
        assert!(!Transforms::Only(Vec::new()).reads(&["html"]));
        assert!(Transforms::Encodings.reads(&["html", "base64"]) && !Transforms::Encodings.reads(&["base64", "rot13"]));
        assert!(Transforms::Encodings.reads(&["an_encoding_of_tomorrow"]));
        assert!(Transforms::All.reads(&["base64", "rot13"]));
    }

    #[test]
    fn every_layer_is_an_encoding_or_a_disguise() {
        let mut sorted: Vec<&str> = ENCODINGS.into_iter().chain(DISGUISES).collect();
        sorted.sort_unstable();
        let mut layers = crate::text::layers::NAMES;
        layers.sort_unstable();
        assert_eq!(sorted, layers);
        assert!(!Transforms::Encodings.reads(&["split"]) && Transforms::Encodings.reads(&["hex", "octal"]));
    }
}
