//! The proof that a value was inspected.

use bytes::Bytes;

use super::subject::{Edit, Encode};

/// A value that inspection let pass. The provider's sender and the client's writer accept nothing else.
///
/// Only `inspect` can make one ([`Cleared::mint`] is private to it), it is not `Clone`, and the one way from a cleared message
/// to cleared bytes is [`Cleared::encode`], which applies the redactions that the verdict demanded.
#[derive(Debug)]
#[must_use = "what was cleared is meant to be sent"]
pub struct Cleared<T> {
    value: T,
    edits: Vec<Edit>,
}

impl<T> Cleared<T> {
    pub(in crate::inspect) fn mint(value: T, edits: Vec<Edit>) -> Self {
        Self { value, edits }
    }

    /// For unit tests of the modules that send: they need a cleared value and have no inspector at hand.
    #[cfg(test)]
    pub(crate) fn mint_for_test(value: T) -> Self {
        Self { value, edits: Vec::new() }
    }

    /// A look at the value, for routing and the record. Sending it still needs [`Cleared::encode`].
    pub fn get(&self) -> &T {
        &self.value
    }

    /// What is replaced when it is written out, in order.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// True when the verdict replaced something.
    pub fn is_redacted(&self) -> bool {
        !self.edits.is_empty()
    }
}

impl<T: Encode> Cleared<T> {
    /// The same message for another model: a name of the written policy, not of whoever sent it.
    pub fn for_model(mut self, model: &str) -> Self {
        self.value.ask_model(model);
        self
    }

    /// The bytes for the wire, redactions applied.
    pub fn encode(self) -> Cleared<Bytes> {
        Cleared { value: self.value.encode(&self.edits), edits: Vec::new() }
    }
}

impl Cleared<Bytes> {
    /// The bytes themselves, at the edge where they are written.
    pub fn into_bytes(self) -> Bytes {
        self.value
    }
}
