//! Names and places with `*` in them, as people write them where a rule applies.

use std::fmt;

use serde::Serialize;

/// A name in which `*` stands for any run of characters.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// A glob as written.
    pub(super) fn new(written: impl Into<String>) -> Self {
        Self(written.into())
    }

    /// True when the whole name fits. Linear in the name for each `*`.
    pub fn fits(&self, name: &str) -> bool {
        fits(&self.0, name)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fits(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|head| name.strip_prefix(head)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A JSON Pointer (RFC 6901) in which `*` inside a step stands for any run of characters, and a step `**` for any number of
/// steps, none among them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct FieldGlob(String);

impl FieldGlob {
    /// A glob as written; `None` when it does not begin with `/`.
    pub(super) fn new(written: &str) -> Option<Self> {
        written.starts_with('/').then(|| Self(written.to_owned()))
    }

    /// As it stands in the rule.
    pub fn written(&self) -> &str {
        &self.0
    }

    /// True when the whole place fits. A key (`…/~key`) fits where its value would.
    pub fn fits(&self, place: &str) -> bool {
        let place = place.strip_suffix("/~key").unwrap_or(place);
        // Which steps of the glob can have been passed after each step of the place.
        let steps: Vec<&str> = self.0.split('/').skip(1).collect();
        let mut reached = vec![false; steps.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        pass_over(&steps, &mut reached);
        for name in place.split('/').skip(1) {
            let mut next = vec![false; steps.len() + 1];
            for (at, step) in steps.iter().enumerate() {
                if !reached.get(at).is_some_and(|reached| *reached) {
                    continue;
                }
                let to = if *step == "**" { Some(at) } else { fits(step, name).then_some(at + 1) };
                if let Some(to) = to.and_then(|to| next.get_mut(to)) {
                    *to = true;
                }
            }
            pass_over(&steps, &mut next);
            reached = next;
        }
        reached.last().is_some_and(|reached| *reached)
    }
}

/// A step `**` may stand for nothing.
fn pass_over(steps: &[&str], reached: &mut [bool]) {
    for (at, step) in steps.iter().enumerate() {
        let passes = *step == "**" && reached.get(at).is_some_and(|reached| *reached);
        if let Some(next) = reached.get_mut(at + 1).filter(|_| passes) {
            *next = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_name_is_any_run() {
        for (glob, name, expected) in [
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "xgpt-4o", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "ba", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("demo", "demo2", false),
        ] {
            assert_eq!(Glob::new(glob).fits(name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn places_fit_step_by_step() {
        for (glob, place, expected) in [
            ("/messages/*/content", "/messages/0/content", true),
            ("/messages/*/content", "/messages/0/content/1/text", false),
            ("/messages/*/content/**", "/messages/0/content", true),
            ("/messages/*/content/**", "/messages/0/content/1/text", true),
            ("/**/text", "/messages/0/content/1/text", true),
            ("/**/text", "/text", true),
            ("/**", "/anything/at/all", true),
            ("/meta*/**/id", "/metadata/a/b/id", true),
            ("/meta*/**/id", "/metadata/a/b/ids", false),
            ("/metadata/*", "/metadata/a/~key", true),
            ("/a", "", false),
        ] {
            assert_eq!(FieldGlob::new(glob).unwrap().fits(place), expected, "{glob} {place}");
        }
        assert!(FieldGlob::new("messages").is_none());
    }

    #[test]
    fn many_stars_take_linear_time() {
        let glob = FieldGlob::new(&"/**".repeat(40)).unwrap();
        assert!(!FieldGlob::new(&format!("{}/x", "/**".repeat(40))).unwrap().fits(&"/a".repeat(256)));
        assert!(glob.fits(&"/a".repeat(256)));
    }
}
