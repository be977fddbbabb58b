//! Puts texts back while a reply flows.

use std::sync::Arc;

use super::{Before, Found, Kind, Vault};
use crate::inspect::redact;

/// Text in, text out; what may become a token is held.
///
/// Arguments of tools are held whole, since only the end of JSON tells what its strings are; they leave whole in any case. So
/// is a text that begins as a document does, where it matters how deep in JSON something is put back.
#[derive(Debug)]
pub(in crate::inspect) struct Restorer {
    vault: Arc<Vault>,
    before: Before,
    hold: Hold,
    /// Bytes of a text that are held at once for what its end tells; with more of them it is taken for no document.
    hold_bytes: usize,
    held: String,
}

/// Whether a text is held to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hold {
    No,
    /// It holds blanks so far.
    Unknown,
    /// It may be a document.
    Document,
    Always,
}

impl Restorer {
    /// A text of this kind that has not begun.
    pub(in crate::inspect) fn new(vault: Arc<Vault>, kind: Kind, hold_bytes: usize) -> Self {
        let hold = match kind {
            Kind::Arguments => Hold::Always,
            Kind::Part | Kind::Text if vault.is_escaped() => Hold::Unknown,
            Kind::Part | Kind::Text => Hold::No,
        };
        Self { vault, before: Before::new(kind), hold, hold_bytes, held: String::new() }
    }

    /// Takes the next piece; gives what can leave.
    pub(in crate::inspect) fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        if self.hold == Hold::Unknown {
            return self.begin();
        }
        if self.hold == Hold::Always || (self.hold == Hold::Document && self.held.len() <= self.hold_bytes) {
            return String::new();
        }
        self.hold = Hold::No;
        self.flow(false)
    }

    /// The text is over: what was held was no token.
    pub(in crate::inspect) fn finish(&mut self) -> String {
        if self.hold == Hold::No || self.hold == Hold::Unknown {
            return self.flow(true);
        }
        let text = std::mem::take(&mut self.held);
        let places = self.vault.whole(&text, &mut self.before);
        redact::apply(&text, 0, places.iter().map(|(span, with)| (*span, with.as_str())))
    }

    /// Blanks leave; then the first character tells whether a document may have begun.
    fn begin(&mut self) -> String {
        let text = self.held.trim_start_matches([' ', '\t', '\n', '\r']);
        let blanks = self.held.len() - text.len();
        self.hold = match self.vault.at_start(text) {
            _ if text.is_empty() => Hold::Unknown,
            Found::Start => Hold::Unknown,
            Found::Nothing if text.starts_with(['{', '[']) => Hold::Document,
            Found::Nothing | Found::Whole(..) => Hold::No,
        };
        if self.hold == Hold::No {
            return self.flow(false);
        }
        let text = self.held.split_off(blanks);
        let blanks = std::mem::replace(&mut self.held, text);
        self.before.read(&blanks);
        if self.hold == Hold::Document { blanks + &self.push("") } else { blanks }
    }

    fn flow(&mut self, is_last: bool) -> String {
        let (places, at) = self.vault.find(&self.held, &mut self.before, None, is_last);
        let rest = self.held.split_off(at);
        let text = std::mem::replace(&mut self.held, rest);
        redact::apply(&text, 0, places.iter().map(|(span, with)| (*span, with.as_str())))
    }
}
