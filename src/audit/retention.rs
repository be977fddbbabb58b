//! How long what is kept: retention classes, and which tenant is of which.

use std::collections::BTreeMap;

/// The class of tenants that are given none.
pub const STANDARD: &str = "standard";
/// The class of the appliance's own records: starts, reloads, checkpoints, tombstones.
pub const SYSTEM: &str = "system";

/// Which retention class a record is of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Classes {
    /// Tenants that are not of the class [`STANDARD`].
    pub tenants: BTreeMap<String, String>,
}

impl Classes {
    /// The class of a tenant's events.
    pub(crate) fn of_tenant(&self, tenant: &str) -> &str {
        self.tenants.get(tenant).map_or(STANDARD, String::as_str)
    }
}

/// How many days the parts of a class are kept; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Keep {
    /// Bodies of records.
    pub events: Option<u32>,
    /// Rows for review.
    pub review: Option<u32>,
    /// Prompts and replies in full, where they are recorded.
    pub texts: Option<u32>,
}

/// What is kept how long.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// By class. A class that is not named is kept for ever.
    pub keep: BTreeMap<String, Keep>,
    /// Who is of which class.
    pub classes: Classes,
}

impl Retention {
    /// How long a class is kept.
    pub(crate) fn of(&self, class: &str) -> Keep {
        self.keep.get(class).copied().unwrap_or_default()
    }

    /// Refuses what cannot work, with what to do.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wrong = Err;
        for class in self.keep.keys().chain(self.classes.tenants.values()) {
            if !is_class_name(class) {
                return wrong(format!(
                    "`{class}` is no name of a class; write 1 to {CLASS_BYTES} lower-case letters and digits, a letter first"
                ));
            }
        }
        for (tenant, class) in &self.classes.tenants {
            if class == SYSTEM {
                return wrong(format!("tenant `{tenant}` cannot be of class {SYSTEM}, which is the appliance's own"));
            }
            if class != STANDARD && !self.keep.contains_key(class) {
                return wrong(format!("tenant `{tenant}` is of class `{class}`, which is not among the classes"));
            }
        }
        // A tombstone must outlive the hashes that it explains, and those stay as long as any class of that day.
        let own = self.of(SYSTEM).events;
        for (class, keep) in &self.keep {
            if let Some(own) = own
                && keep.events.is_none_or(|days| days > own)
            {
                return wrong(format!(
                    "class {SYSTEM} is kept {own} days, class {class} longer: what explains the gaps must be kept as long as the rest"
                ));
            }
            if let Some(events) = keep.events
                && keep.review.is_none_or(|days| days > events)
            {
                return wrong(format!(
                    "class {class} keeps rows for review longer than the {events} days of the records that prove them; keep records as long"
                ));
            }
            if let Some(review) = keep.review
                && keep.texts.is_none_or(|days| days > review)
            {
                return wrong(format!(
                    "class {class} keeps texts longer than the {review} days of the rows for review, which say whose they are"
                ));
            }
        }
        if own.is_some() && !self.keep.contains_key(STANDARD) {
            return wrong(format!("class {SYSTEM} is given up after a time and class {STANDARD} never; name both"));
        }
        Ok(())
    }
}

/// A class is part of partitions' names.
fn is_class_name(name: &str) -> bool {
    name.len() <= CLASS_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Bytes of a class's name.
const CLASS_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(classes: &[(&str, Option<u32>, Option<u32>)], tenants: &[(&str, &str)]) -> Retention {
        let keep = classes.iter().map(|(name, events, review)| {
            ((*name).to_owned(), Keep { events: *events, review: *review, texts: *review })
        });
        let tenants = tenants.iter().map(|(tenant, class)| ((*tenant).to_owned(), (*class).to_owned()));
        Retention { keep: keep.collect(), classes: Classes { tenants: tenants.collect() } }
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_do() {
        for (retention, why) in [
            (retention(&[("A-b", None, None)], &[]), "no name of a class"),
            (retention(&[("abcdefghijklmnopq", None, None)], &[]), "no name of a class"),
            (retention(&[], &[("acme", "short")]), "not among the classes"),
            (retention(&[], &[("acme", "system")]), "appliance's own"),
            (retention(&[("system", Some(10), Some(10)), ("standard", Some(11), Some(1))], &[]), "as long as the rest"),
            (retention(&[("system", Some(10), Some(10)), ("standard", None, Some(1))], &[]), "as long as the rest"),
            (retention(&[("system", Some(10), Some(10))], &[]), "name both"),
            (retention(&[("short", Some(10), Some(11))], &[]), "keep records as long"),
            (retention(&[("short", Some(10), None)], &[]), "keep records as long"),
        ] {
            assert!(retention.check().unwrap_err().contains(why), "{why}");
        }
        let good = retention(
            &[("system", Some(400), Some(400)), ("standard", Some(400), Some(90)), ("short", Some(7), Some(7))],
            &[("acme", "short")],
        );
        good.check().unwrap();
        Retention::default().check().unwrap();
        assert_eq!((good.classes.of_tenant("acme"), good.classes.of_tenant("other")), ("short", STANDARD));
    }
}
