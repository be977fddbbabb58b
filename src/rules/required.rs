//! Literals that every match of a regex must contain, so that one literal pass can find the candidates.

/// A set of literals one of which is in every match.
#[derive(Clone, Debug)]
pub(crate) struct Required {
    /// Lower-cased literals; the search for them ignores ASCII case.
    pub(crate) literals: Vec<Vec<u8>>,
    /// Fewest bytes between the start of a match and the start of its literal.
    pub(crate) before_min: usize,
    /// Most bytes between them; `None`: unbounded.
    pub(crate) before_max: Option<usize>,
}
