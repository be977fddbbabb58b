//! A map from spans of derived text (canonical, decoded) back to the text that it was made from.

use crate::base::Span;

/// Maps spans of a derived text to spans of its origin.
///
/// The map is a list of runs. Inside a run every `derived` bytes came from `origin` bytes (1 and 1 for text that was only
/// copied), so a copied megabyte costs one entry. Bytes of the origin that left no trace need none: they are the gaps
/// between runs. [`Map::identity`] holds nothing at all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Map {
    /// `None`: derived and origin are the same bytes.
    runs: Option<Box<[Run]>>,
    /// Length of the derived text; unused by the identity.
    derived_len: usize,
    /// Length of the origin; unused by the identity.
    origin_len: usize,
}

/// A stretch of equal units, up to the next run's start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Run {
    /// First byte in the derived text.
    derived: usize,
    /// First byte in the origin.
    origin: usize,
    /// Bytes of one unit in the derived text; never 0.
    derived_unit: u32,
    /// Bytes of one unit in the origin.
    origin_unit: u32,
}

impl Map {
    /// The map of a text to itself.
    pub const fn identity() -> Self {
        Self { runs: None, derived_len: 0, origin_len: 0 }
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
        Span::new(unit_at(runs, start).start, unit_at(runs, end - 1).end)
    }

    /// This map followed by `outer`: `self` leads from a text to a middle one, `outer` from the middle to the origin.
    pub fn then(&self, outer: &Self) -> Self {
        let Some(runs) = &self.runs else { return outer.clone() };
        let Some(outer_runs) = &outer.runs else { return self.clone() };
        let mut builder = Builder::default();
        for (index, run) in runs.iter().enumerate() {
            let run_end = runs.get(index + 1).map_or(self.derived_len, |next| next.derived);
            join_run(*run, run_end, outer, outer_runs, &mut builder);
        }
        builder.finish(outer.origin_len)
    }
}

/// Puts a map together from left to right.
#[derive(Debug, Default)]
pub struct Builder {
    runs: Vec<Run>,
    derived_len: usize,
}

impl Builder {
    /// Notes that `len` bytes were copied from `origin`.
    pub fn copied(&mut self, len: usize, origin: usize) {
        self.units(1, origin, 1, len);
    }

    /// Notes that the bytes of `origin` became the next `derived` bytes, as one indivisible unit.
    pub fn unit(&mut self, derived: usize, origin: Span) {
        self.units(derived, origin.start, origin.len(), 1);
    }

    fn units(&mut self, derived_unit: usize, origin: usize, origin_unit: usize, count: usize) {
        if derived_unit == 0 || count == 0 {
            return;
        }
        // Units of 4 GiB and more do not occur: texts are far below (`limits.body_bytes`).
        let derived_unit = u32::try_from(derived_unit).unwrap_or(u32::MAX);
        let origin_unit = u32::try_from(origin_unit).unwrap_or(u32::MAX);
        let grown = self.runs.last().is_some_and(|last| {
            last.derived_unit == derived_unit
                && last.origin_unit == origin_unit
                && last.origin + (self.derived_len - last.derived) / derived_unit as usize * origin_unit as usize
                    == origin
        });
        if !grown {
            self.runs.push(Run { derived: self.derived_len, origin, derived_unit, origin_unit });
        }
        self.derived_len += derived_unit as usize * count;
    }

    /// The finished map; `origin_len` is the length of the origin.
    pub fn finish(self, origin_len: usize) -> Map {
        Map { runs: Some(self.runs.into_boxed_slice()), derived_len: self.derived_len, origin_len }
    }
}

/// The origin of the unit that holds the derived byte `at`.
fn unit_at(runs: &[Run], at: usize) -> Span {
    let index = runs.partition_point(|run| run.derived <= at).saturating_sub(1);
    let Some(run) = runs.get(index) else { return Span::default() };
    let number = at.saturating_sub(run.derived) / run.derived_unit as usize;
    let start = run.origin + number * run.origin_unit as usize;
    Span::new(start, start + run.origin_unit as usize)
}

/// Adds `run` (which ends at `run_end`) to `builder`, seen through the outer map.
fn join_run(run: Run, run_end: usize, outer: &Map, outer_runs: &[Run], builder: &mut Builder) {
    let mut derived = run.derived;
    let mut middle = run.origin;
    while derived < run_end {
        if run.derived_unit == 1 && run.origin_unit == 1 {
            // Copied text takes over the outer run's units, as many as lie wholly inside.
            let index = outer_runs.partition_point(|outer_run| outer_run.derived <= middle).saturating_sub(1);
            if let Some(outer_run) = outer_runs.get(index) {
                let unit = outer_run.derived_unit as usize;
                let outer_end = outer_runs.get(index + 1).map_or(outer.derived_len, |next| next.derived);
                let aligned = (middle - outer_run.derived).is_multiple_of(unit);
                let count = (outer_end.saturating_sub(middle)).min(run_end - derived) / unit;
                if aligned && count > 0 {
                    let origin = unit_at(outer_runs, middle).start;
                    builder.units(unit, origin, outer_run.origin_unit as usize, count);
                    derived += count * unit;
                    middle += count * unit;
                    continue;
                }
            }
        }
        let from = outer.to_original(Span::new(middle, middle + run.origin_unit as usize));
        builder.unit(run.derived_unit as usize, from);
        derived += run.derived_unit as usize;
        middle += run.origin_unit as usize;
    }
}
