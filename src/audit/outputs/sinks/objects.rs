//! To an object store: what is delivered together is one object of JSON lines.

use jiff::tz::TimeZone;

use super::{Line, Undelivered, text};
use crate::egress;

/// An object store.
pub(in crate::audit::outputs) struct Objects {
    objects: egress::Objects,
}

impl Objects {
    pub(super) fn new(objects: egress::Objects) -> Self {
        Self { objects }
    }

    pub(super) async fn deliver(&self, lines: &[Line]) -> Result<(), Undelivered> {
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Ok(()) };
        self.objects.put(&name(first, last), text(lines).into()).await.map_err(Undelivered::away)
    }
}

/// `NODE/DAY/RECORD-N[_RECORD-N].jsonl`: sorted as the record is, and the same when the same lines come again.
fn name(first: &Line, last: &Line) -> String {
    let (node, from) = place(&first.id);
    let day = first.at.to_zoned(TimeZone::UTC).date();
    if first.id == last.id {
        return format!("{node}/{day}/{from}.jsonl");
    }
    format!("{node}/{day}/{from}_{}.jsonl", place(&last.id).1)
}

/// The node of a line's id, and its place in the record at a width that sorts.
fn place(id: &str) -> (&str, String) {
    let mut parts = id.rsplitn(3, '/');
    let (number, record, node) = (parts.next(), parts.next(), parts.next());
    (node.unwrap_or_default(), format!("{:0>12}-{}", record.unwrap_or_default(), number.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_as_the_record_does() {
        assert_eq!(place("edge-1-3f9a2c1b/4711/2"), ("edge-1-3f9a2c1b", "000000004711-2".to_owned()));
        assert!(place("n/9/0").1 < place("n/10/0").1);
        assert_eq!(place("n/8/gap").1, "000000000008-gap");
    }
}
