//! Literals that every match of a regex must contain, so that one literal pass can find the candidates.
//!
//! Works on the expression before case is folded into it: the literal pass ignores ASCII case anyway. The same idea as
//! Vectorscan's literal factors and ripgrep's inner literals, kept small: exact sets are built bottom-up, joined along a
//! concatenation, and the best set wins.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// A set of literals one of which is in every match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Required {
    /// Lower-cased literals; the search for them ignores ASCII case.
    pub(crate) literals: Vec<Vec<u8>>,
    /// Fewest bytes between the start of a match and the start of its literal.
    pub(crate) before_min: usize,
    /// Most bytes between them; `None`: unbounded.
    pub(crate) before_max: Option<usize>,
}

/// Literals in one set.
const SET_MAX: usize = 64;
/// Bytes of one literal; longer ones say no more.
const LITERAL_BYTES_MAX: usize = 32;
/// Characters of a class that is spelled out.
const CLASS_MAX: usize = 10;
/// From this distance on a literal hardly tells where a match may start.
const NEAR: usize = 24;

impl Required {
    /// The best set for an expression, if it has one that is worth looking for.
    pub(crate) fn of(hir: &Hir) -> Option<Self> {
        best(hir).filter(Self::is_useful)
    }

    /// Bytes of the shortest literal.
    pub(crate) fn shortest(&self) -> usize {
        self.literals.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// A literal of one byte is looked for only where it is rare in running text.
    fn is_useful(&self) -> bool {
        self.literals.iter().all(|literal| match literal.as_slice() {
            [] => false,
            [byte] => byte.is_ascii_punctuation() && !b".,-'\"()/:_".contains(byte),
            _ => true,
        })
    }

    /// Higher is better: long, few, rare, near the start.
    fn score(&self) -> i64 {
        let shortest = i64::try_from(self.shortest().min(8)).unwrap_or(8);
        let many = i64::from(self.literals.len().max(1).ilog2());
        let rare = i64::from(self.literals.iter().all(|literal| literal.iter().any(|byte| !is_common(*byte))));
        // A literal that begins the match is confirmed by an anchored search, which mostly ends at once; any other makes a
        // window of its distance and the longest match to be searched.
        let near = match self.before_max {
            Some(0) => 8,
            Some(before) if before <= NEAR => 3,
            Some(_) => 0,
            None => -4,
        };
        shortest * 4 - many * 2 + rare * 2 + near
    }

    fn shift(mut self, min: usize, max: Option<usize>) -> Self {
        self.before_min = self.before_min.saturating_add(min);
        self.before_max = self.before_max.zip(max).map(|(a, b)| a.saturating_add(b));
        self
    }
}

fn is_common(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b' '
}

/// Every text that the expression can match, lower-cased, if they are few.
fn exact(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => exact_class(class),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![Vec::new()], |sets, part| exact(part).and_then(|next| product(&sets, &next)))
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(exact(part)?);
                tidy(&mut all);
                if all.len() > SET_MAX {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Repetition(Repetition { min, max: Some(max), sub, .. }) if *max <= 4 => {
            let once = exact(sub)?;
            let mut power = vec![Vec::new()];
            let mut all = Vec::new();
            for count in 0..=*max {
                if count >= *min {
                    all.extend(power.iter().cloned());
                }
                if count < *max {
                    power = product(&power, &once)?;
                }
            }
            tidy(&mut all);
            (all.len() <= SET_MAX).then_some(all)
        }
        HirKind::Repetition(_) => None,
    }
}

fn exact_class(class: &Class) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                for c in range.start()..=range.end() {
                    all.push(c.to_ascii_lowercase().to_string().into_bytes());
                    if all.len() > 2 * CLASS_MAX {
                        return None;
                    }
                }
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                for byte in range.start()..=range.end() {
                    all.push(vec![byte.to_ascii_lowercase()]);
                    if all.len() > 2 * CLASS_MAX {
                        return None;
                    }
                }
            }
        }
    }
    tidy(&mut all);
    (!all.is_empty() && all.len() <= CLASS_MAX).then_some(all)
}

fn product(left: &[Vec<u8>], right: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if left.len().saturating_mul(right.len()) > SET_MAX {
        return None;
    }
    let mut all = Vec::with_capacity(left.len() * right.len());
    for start in left {
        for end in right {
            let joined = [start.as_slice(), end.as_slice()].concat();
            if joined.len() > LITERAL_BYTES_MAX {
                return None;
            }
            all.push(joined);
        }
    }
    tidy(&mut all);
    Some(all)
}

fn tidy(all: &mut Vec<Vec<u8>>) {
    all.sort();
    all.dedup();
}

fn whole(literals: Vec<Vec<u8>>) -> Required {
    Required { literals, before_min: 0, before_max: Some(0) }
}

fn best(hir: &Hir) -> Option<Required> {
    let all = exact(hir).map(whole).filter(Required::is_useful);
    let inner = match hir.kind() {
        // A long literal is looked for by its start.
        HirKind::Literal(literal) => {
            let end = literal.0.len().min(LITERAL_BYTES_MAX);
            Some(whole(vec![literal.0.get(..end)?.to_ascii_lowercase()]))
        }
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Concat(parts) => best_of_concat(parts),
        HirKind::Alternation(parts) => best_of_alternation(parts),
        HirKind::Repetition(Repetition { min: 1.., sub, .. }) => best(sub),
        _ => None,
    };
    all.into_iter().chain(inner).filter(Required::is_useful).max_by_key(Required::score)
}

fn best_of_concat(parts: &[Hir]) -> Option<Required> {
    let mut found: Option<Required> = None;
    let mut offer = |candidate: Required| {
        if candidate.is_useful() && found.as_ref().is_none_or(|best| candidate.score() > best.score()) {
            found = Some(candidate);
        }
    };
    let (mut min, mut max) = (0usize, Some(0usize));
    for (index, part) in parts.iter().enumerate() {
        // The longest run of exact parts from here, every length of it offered.
        let mut run = vec![Vec::new()];
        for next in &parts[index..] {
            let Some(longer) = exact(next).and_then(|next| product(&run, &next)) else { break };
            run = longer;
            offer(whole(run.clone()).shift(min, max));
        }
        if let Some(inner) = best(part) {
            offer(inner.shift(min, max));
        }
        let properties = part.properties();
        min = min.saturating_add(properties.minimum_len().unwrap_or(0));
        max = max.zip(properties.maximum_len()).map(|(a, b)| a.saturating_add(b));
    }
    found
}

fn best_of_alternation(parts: &[Hir]) -> Option<Required> {
    let mut parts = parts.iter();
    let mut all = best(parts.next()?)?;
    for part in parts {
        let next = best(part)?;
        all.literals.extend(next.literals);
        all.before_min = all.before_min.min(next.before_min);
        all.before_max = all.before_max.zip(next.before_max).map(|(a, b)| a.max(b));
    }
    tidy(&mut all.literals);
    (all.literals.len() <= SET_MAX).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(regex: &str) -> Option<(Vec<String>, usize, Option<usize>)> {
        let required = Required::of(&regex_syntax::parse(regex).unwrap())?;
        let literals = required.literals.into_iter().map(|literal| String::from_utf8(literal).unwrap()).collect();
        Some((literals, required.before_min, required.before_max))
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn finds_prefixes_inner_literals_and_suffixes() {
        assert_eq!(of("ghp_[A-Za-z0-9]{36}"), Some((texts(&["ghp_"]), 0, Some(0))));
        assert_eq!(of("gh[pousr]_[A-Za-z0-9]{36}").unwrap().0.len(), 5);
        assert_eq!(
            of(r"(ignore|disregard|forget)\s{1,3}(all\s{1,3})?(previous|prior)"),
            Some((texts(&["disregard", "forget", "ignore"]), 0, Some(0)))
        );
        assert_eq!(of("[0-9]{2,3}needle"), Some((texts(&["needle"]), 2, Some(3))));
        assert_eq!(of(r"\d+needle"), Some((texts(&["needle"]), 1, None)));
        assert_eq!(of("[a-z]{1,9}@[a-z]{2,9}"), Some((texts(&["@"]), 1, Some(9))));
    }

    #[test]
    fn says_so_when_nothing_is_required() {
        assert_eq!(of(r"\d{13,19}"), None);
        assert_eq!(of("(abc)?[0-9]"), None);
        assert_eq!(of("abc|[0-9]{9}"), None);
        assert_eq!(of(r"\d{1,3}\.\d{1,3}"), None);
    }

    #[test]
    fn long_literals_and_large_sets_are_cut_not_lost() {
        let long = "x".repeat(100);
        assert_eq!(of(&long), Some((vec!["x".repeat(LITERAL_BYTES_MAX)], 0, Some(0))));
        let many: Vec<String> = (0..=SET_MAX).map(|n| format!("word{n}")).collect();
        assert!(of(&format!("({})[0-9]", many[1..].join("|"))).is_some());
    }
}
