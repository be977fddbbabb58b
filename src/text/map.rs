//! A map from spans of derived text (canonical, decoded) back to the text that it was made from.

use crate::base::Span;

/// Maps spans of a derived text to spans of its origin.
///
/// The map is a list of runs. Inside a run every `derived` bytes came from `origin` bytes (1 and 1 for text that was only
/// copied), so a copied megabyte costs one entry. Bytes of the origin that left no trace need none: they are the gaps
/// between runs. Where a text was turned round, a run leads backwards. [`Map::identity`] holds nothing at all.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Map {
    /// `None`: derived and origin are the same bytes.
    runs: Option<Vec<Run>>,
    /// Length of the derived text; unused by the identity.
    derived_len: usize,
    /// Length of the origin; unused by the identity.
    origin_len: usize,
    /// True when what follows in the derived text follows in the origin as well.
    in_order: bool,
}

/// A stretch of equal units, up to the next run's start. Sixteen bytes: text in a script that is folded letter by letter
/// has a run every few bytes. Texts of 4 GiB and more do not occur (`limits.body_bytes`); offsets beyond stand still.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Run {
    /// First byte in the derived text.
    derived: u32,
    /// First byte of the first unit's origin.
    origin: u32,
    /// Bytes of one unit in the derived text; never 0.
    derived_unit: u32,
    /// Bytes of one unit in the origin; negative when each unit's origin ends where the last one's began.
    origin_unit: i32,
}

impl Map {
    /// The map of a text to itself.
    pub const fn identity() -> Self {
        Self { runs: None, derived_len: 0, origin_len: 0, in_order: true }
    }

    /// True when nothing was changed.
    pub fn is_identity(&self) -> bool {
        self.runs.is_none()
    }

    /// The smallest span of the origin that produced `span` of the derived text.
    ///
    /// Bytes that were dropped strictly inside are covered; dropped bytes before the first and after the last are not. An
    /// empty span stays empty. A span beyond the derived text is cut to it.
    pub fn to_original(&self, span: Span) -> Span {
        let Some(runs) = &self.runs else { return span };
        let start = span.start.min(self.derived_len);
        let end = span.end.min(self.derived_len);
        if start >= end {
            let at = if start == self.derived_len { self.origin_len } else { unit_at(runs, start).start };
            return Span::new(at, at);
        }
        let (first, last) = (unit_at(runs, start), unit_at(runs, end - 1));
        if self.in_order {
            return Span::new(first.start, last.end);
        }
        // Some origin between may lie before the first or behind the last one: both ends of every run in the span are looked
        // at, for inside a run there is one direction.
        let inner = runs.get(run_at(runs, start) + 1..=run_at(runs, end - 1)).unwrap_or_default();
        let ends = inner.iter().flat_map(|run| [unit_at(runs, run.start()), unit_at(runs, run.start() - 1)]);
        ends.fold(first.cover(last), Span::cover)
    }

    /// [`Map::to_original`] for a span near the run `cursor`, which goes along.
    fn original_near(&self, span: Span, runs: &[Run], cursor: &mut usize) -> Span {
        if !self.in_order || span.is_empty() || span.end > self.derived_len {
            return self.to_original(span);
        }
        let mut unit = |at: usize| {
            *cursor = run_near(runs, *cursor, at);
            runs.get(*cursor).map_or_else(Span::default, |run| run.unit(at))
        };
        let (first, last) = (unit(span.start), unit(span.end - 1));
        Span::new(first.start, last.end)
    }

    /// This map followed by `outer`: `self` leads from a text to a middle one, `outer` from the middle to the origin.
    pub fn then(self, outer: &Self) -> Self {
        let Some(runs) = &self.runs else { return outer.clone() };
        let Some(outer_runs) = &outer.runs else { return self };
        let mut builder = Builder { runs: Vec::with_capacity(runs.len() + outer_runs.len()), ..Builder::default() };
        let mut cursor = 0;
        for (index, run) in runs.iter().enumerate() {
            let run_end = runs.get(index + 1).map_or(self.derived_len, Run::start);
            join_run(*run, run_end, outer, outer_runs, &mut cursor, &mut builder);
        }
        builder.finish(outer.origin_len)
    }
}

/// Puts a map together from left to right.
#[derive(Debug, Default)]
pub struct Builder {
    runs: Vec<Run>,
    derived_len: usize,
    /// One past the last byte of the origin so far.
    origin_end: usize,
    /// Where one more unit of the last run would begin in the origin.
    follows: usize,
    out_of_order: bool,
}

impl Builder {
    /// Notes that `len` bytes were copied from `origin`.
    pub fn copied(&mut self, len: usize, origin: usize) {
        self.units(1, origin, 1, len);
    }

    /// Notes that the bytes of `origin` became the next `derived` bytes, as one indivisible unit.
    #[inline]
    pub fn unit(&mut self, derived: usize, origin: Span) {
        self.units(derived, origin.start, narrow_signed(origin.len()), 1);
    }

    /// Notes that one character of `len` bytes was copied from `origin`, and that the one before it stands behind it there.
    pub fn turned(&mut self, len: usize, origin: usize) {
        self.units(len, origin, -narrow_signed(len), 1);
    }

    /// Notes that the bytes of `origin` were copied one by one from the last to the first.
    pub fn turned_bytes(&mut self, origin: Span) {
        if let Some(last) = origin.end.checked_sub(1) {
            self.units(1, last, -1, origin.len());
        }
    }

    #[inline]
    fn units(&mut self, derived_unit: usize, origin: usize, origin_unit: i32, count: usize) {
        if derived_unit == 0 || count == 0 {
            return;
        }
        let length = origin_unit.unsigned_abs() as usize;
        self.out_of_order |= origin < self.origin_end || origin_unit < 0;
        self.origin_end = if origin_unit < 0 { origin + length } else { origin + length * count };
        let grown = self.follows == origin
            && self
                .runs
                .last()
                .is_some_and(|last| last.derived_unit as usize == derived_unit && last.origin_unit == origin_unit);
        self.follows = if origin_unit < 0 { origin.saturating_sub(length * count) } else { origin + length * count };
        if !grown {
            self.runs.push(Run {
                derived: narrow(self.derived_len),
                origin: narrow(origin),
                derived_unit: narrow(derived_unit),
                origin_unit,
            });
        }
        self.derived_len += derived_unit * count;
    }

    /// Notes that what stands at `span` of the derived text follows once more. It begins and ends where units do.
    pub fn again(&mut self, span: Span) {
        let end = span.end.min(self.derived_len);
        let mut at = span.start;
        let mut number = run_at(&self.runs, at);
        while at < end {
            let Some(run) = self.runs.get(number).copied() else { return };
            number += 1;
            let run_end = self.runs.get(number).map_or(self.derived_len, Run::start).min(end);
            let unit = run.derived_unit as usize;
            self.units(unit, run.unit_start(at), run.origin_unit, (run_end - at).div_ceil(unit));
            at = run_end;
        }
    }

    /// The finished map; `origin_len` is the length of the origin.
    pub fn finish(self, origin_len: usize) -> Map {
        Map { runs: Some(self.runs), derived_len: self.derived_len, origin_len, in_order: !self.out_of_order }
    }
}

impl Run {
    fn start(&self) -> usize {
        self.derived as usize
    }

    /// Where in the origin the unit begins that holds the derived byte `at`.
    fn unit_start(&self, at: usize) -> usize {
        let bytes = at.saturating_sub(self.start());
        // Most units are of one byte, and dividing takes its time.
        let number = if self.derived_unit == 1 { bytes } else { bytes / self.derived_unit as usize };
        let distance = number * self.origin_len();
        if self.origin_unit < 0 {
            (self.origin as usize).saturating_sub(distance)
        } else {
            self.origin as usize + distance
        }
    }

    /// The origin of the unit that holds the derived byte `at`.
    fn unit(&self, at: usize) -> Span {
        let start = self.unit_start(at);
        Span::new(start, start + self.origin_len())
    }

    /// Bytes of one unit in the origin.
    fn origin_len(&self) -> usize {
        self.origin_unit.unsigned_abs() as usize
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn narrow_signed(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// The number of the run that holds the derived byte `at`.
fn run_at(runs: &[Run], at: usize) -> usize {
    runs.partition_point(|run| run.start() <= at).saturating_sub(1)
}

/// The same, looked for from the run `near` on.
fn run_near(runs: &[Run], near: usize, at: usize) -> usize {
    let holds = |number: usize| {
        runs.get(number).is_some_and(|run| run.start() <= at)
            && runs.get(number + 1).is_none_or(|next| at < next.start())
    };
    (near..near + 3).find(|number| holds(*number)).unwrap_or_else(|| run_at(runs, at))
}

/// The origin of the unit that holds the derived byte `at`.
fn unit_at(runs: &[Run], at: usize) -> Span {
    runs.get(run_at(runs, at)).map_or_else(Span::default, |run| run.unit(at))
}

/// Adds `run` (which ends at `run_end`) to `builder`, seen through the outer map.
///
/// `cursor` is the number of an outer run near by: most of what follows in the middle text follows in it.
fn join_run(run: Run, run_end: usize, outer: &Map, outer_runs: &[Run], cursor: &mut usize, builder: &mut Builder) {
    let derived_unit = run.derived_unit as usize;
    let mut derived = run.start();
    while derived < run_end {
        let middle = run.unit_start(derived);
        if derived_unit == 1 && run.origin_unit == 1 {
            // Copied text takes over the outer run's units, as many as lie wholly inside.
            *cursor = run_near(outer_runs, *cursor, middle);
            if let Some(outer_run) = outer_runs.get(*cursor) {
                let unit = outer_run.derived_unit as usize;
                let outer_end = outer_runs.get(*cursor + 1).map_or(outer.derived_len, Run::start);
                let aligned = unit == 1 || middle.saturating_sub(outer_run.start()).is_multiple_of(unit);
                let bytes = outer_end.saturating_sub(middle).min(run_end - derived);
                let count = if unit == 1 { bytes } else { bytes / unit };
                if aligned && count > 0 {
                    builder.units(unit, outer_run.unit_start(middle), outer_run.origin_unit, count);
                    derived += count * unit;
                    continue;
                }
            }
        }
        let from = outer.original_near(Span::new(middle, middle + run.origin_len()), outer_runs, cursor);
        if run.origin_unit < 0 && from.len() == derived_unit {
            builder.turned(derived_unit, from.start);
        } else {
            builder.unit(derived_unit, from);
        }
        derived += derived_unit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assume, proptest};

    use super::*;

    /// "a[bc→X]d(ee dropped)f": derived "aXdf" from "abcdeef".
    fn small() -> Map {
        let mut builder = Builder::default();
        builder.copied(1, 0);
        builder.unit(1, Span::new(1, 3));
        builder.copied(1, 3);
        builder.copied(1, 6);
        builder.finish(7)
    }

    #[test]
    fn what_is_written_again_leads_to_the_same_place() {
        let mut builder = Builder::default();
        builder.copied(4, 10);
        builder.unit(3, Span::new(14, 15));
        builder.turned_bytes(Span::new(20, 24));
        builder.again(Span::new(2, 9));
        let map = builder.finish(30);
        assert_eq!(map.derived_len, 18);
        for at in 0..7 {
            let one = |at: usize| map.to_original(Span::new(at, at + 1));
            assert_eq!(one(11 + at), one(2 + at), "{at}");
        }
        assert_eq!(map.to_original(Span::new(11, 16)), Span::new(12, 15));
    }

    #[test]
    fn spans_lead_to_the_smallest_origin() {
        let map = small();
        for ((start, end), (from, to)) in
            [((0, 1), (0, 1)), ((1, 2), (1, 3)), ((0, 4), (0, 7)), ((2, 4), (3, 7)), ((2, 3), (3, 4)), ((2, 2), (3, 3))]
        {
            assert_eq!(map.to_original(Span::new(start, end)), Span::new(from, to), "{start}..{end}");
        }
        assert_eq!(map.to_original(Span::new(4, 4)), Span::new(7, 7));
        assert_eq!(map.to_original(Span::new(3, 99)), Span::new(6, 7), "cut to the text");
    }

    #[test]
    fn maps_joined_lead_where_both_lead_in_turn() {
        // Of "aXdf" the "X" is copied and "df" becomes one unit of three bytes.
        let mut builder = Builder::default();
        builder.copied(1, 1);
        builder.unit(3, Span::new(2, 4));
        let inner = builder.finish(4);
        let joined = inner.clone().then(&small());
        for (start, end) in [(0, 1), (1, 2), (0, 4), (3, 4)] {
            let span = Span::new(start, end);
            assert_eq!(joined.to_original(span), small().to_original(inner.to_original(span)), "{start}..{end}");
        }
        assert!(Map::identity().then(&Map::identity()).is_identity());
        assert_eq!(small().then(&Map::identity()), small());
        assert_eq!(Map::identity().then(&small()), small());
    }

    /// "abc" from "xcbay": turned round between "x" and "y", and "y" after it.
    fn turned() -> Map {
        let mut builder = Builder::default();
        builder.turned_bytes(Span::new(1, 4));
        builder.copied(1, 4);
        builder.finish(5)
    }

    #[test]
    fn turned_text_leads_backwards() {
        for ((start, end), (from, to)) in
            [((0, 1), (3, 4)), ((2, 3), (1, 2)), ((0, 3), (1, 4)), ((0, 2), (2, 4)), ((0, 4), (1, 5)), ((2, 4), (1, 5))]
        {
            assert_eq!(turned().to_original(Span::new(start, end)), Span::new(from, to), "{start}..{end}");
        }
        let again = turned().then(&turned());
        assert_eq!(again.to_original(Span::new(0, 1)), turned().to_original(Span::new(3, 4)));
    }

    /// Some map, of pieces that are copied, replaced or turned round, from an origin of so many bytes.
    fn map_of(pieces: &[(u8, usize, usize)], origin_len: usize) -> Map {
        let mut builder = Builder::default();
        for (kind, at, len) in pieces {
            let start = at % origin_len;
            let end = (start + len).min(origin_len);
            match kind % 3 {
                0 => builder.copied(end - start, start),
                1 => builder.unit(*len % 4, Span::new(start, end)),
                _ => builder.turned_bytes(Span::new(start, end)),
            }
        }
        builder.finish(origin_len)
    }

    proptest! {
        #[test]
        fn joined_maps_cover_what_both_lead_to_in_turn(
            outer in vec((any::<u8>(), any::<usize>(), 1..9_usize), 1..12),
            inner in vec((any::<u8>(), any::<usize>(), 1..9_usize), 1..12),
            start in 0..40_usize,
            len in 1..20_usize,
        ) {
            let outer = map_of(&outer, 30);
            prop_assume!(outer.derived_len > 0);
            let inner = map_of(&inner, outer.derived_len);
            let joined = inner.clone().then(&outer);
            prop_assert_eq!(joined.derived_len, inner.derived_len);
            let span = Span::new(start, start + len);
            let there = joined.to_original(span);
            prop_assert!(there.end <= 30);
            // Byte by byte both ways lead to the same place, and a span covers its bytes' places, and no more.
            let byte = |at| outer.to_original(inner.to_original(Span::new(at, at + 1)));
            let end = span.end.min(joined.derived_len);
            for at in span.start..end {
                prop_assert!(joined.to_original(Span::new(at, at + 1)) == byte(at));
                prop_assert!(there.covers(byte(at)), "{:?} {:?}", there, byte(at));
            }
            if span.start < end {
                prop_assert_eq!((span.start..end).map(byte).reduce(Span::cover), Some(there));
            }
        }
    }

    #[test]
    fn copied_text_costs_one_run() {
        let mut builder = Builder::default();
        for at in 0..1000 {
            builder.copied(1, at);
        }
        assert_eq!(builder.finish(1000).runs.map(|runs| runs.len()), Some(1));
    }
}
