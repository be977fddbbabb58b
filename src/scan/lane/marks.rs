//! The first two bytes of what may begin: tables of pairs.

use crate::rules::beginnings::Beginning;
use crate::rules::firsts::Firsts;
use crate::rules::pairs::Pairs;
use crate::scan::confirm;

/// The first two bytes of some texts or patterns, everywhere and at the start of words only.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) plain: Pairs,
    pub(super) at_word_start: Pairs,
}

impl Marks {
    pub(super) fn of(&mut self, at_word_start: bool) -> &mut Pairs {
        if at_word_start { &mut self.at_word_start } else { &mut self.plain }
    }

    /// Notes with which bytes a branch begins.
    pub(super) fn add(&mut self, begin: &Beginning) {
        let pairs = Pairs::of(&begin.hir);
        for first in 0..=u8::MAX {
            self.of(begin.at_word_start && confirm::is_word(first)).join_row(first, pairs.row(first));
        }
    }

    /// What may follow a byte.
    pub(super) fn row(&self, first: u8) -> Firsts {
        let mut row = *self.plain.row(first);
        row.join(self.at_word_start.row(first));
        row
    }

    pub(super) fn memory(&self) -> usize {
        2 * 256 * size_of::<Firsts>()
    }
}
