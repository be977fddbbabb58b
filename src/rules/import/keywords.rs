//! Whether a regex asks for one of its rule's keywords by itself. gitleaks searches a text only where a keyword is in it;
//! without that a rule whose regex asks for none finds far more.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::bound::parse;

/// Texts that a part of a regex may be, so that it is asked whether each holds a keyword.
const TEXTS_MAX: usize = 64;

/// True when every match holds one of the words, whatever its case.
pub(super) fn asks_for(regex: &str, words: &[String]) -> bool {
    parse(regex).is_ok_and(|hir| holds(&hir, words))
}

fn holds(hir: &Hir, words: &[String]) -> bool {
    let has = |text: &str| words.iter().any(|word| text.contains(word.as_str()));
    match hir.kind() {
        HirKind::Alternation(parts) => parts.iter().all(|part| holds(part, words)),
        HirKind::Capture(capture) => holds(&capture.sub, words),
        HirKind::Repetition(repetition) => repetition.min > 0 && holds(&repetition.sub, words),
        HirKind::Concat(parts) => {
            // What the parts before may be together, each holding no word yet.
            let mut runs = vec![String::new()];
            for part in parts {
                let more = texts(part).filter(|more| more.len() * runs.len() <= TEXTS_MAX);
                let Some(more) = more else {
                    if runs.iter().all(|run| has(run)) || holds(part, words) {
                        return true;
                    }
                    runs = vec![String::new()];
                    continue;
                };
                runs = runs.iter().flat_map(|run| more.iter().map(move |text| format!("{run}{text}"))).collect();
            }
            runs.iter().all(|run| has(run))
        }
        _ => texts(hir).is_some_and(|texts| texts.iter().all(|text| has(text))),
    }
}

/// All that a part matches, in lower case, where that is few texts.
fn texts(hir: &Hir) -> Option<Vec<String>> {
    let few = |texts: BTreeSet<String>| (texts.len() <= TEXTS_MAX).then(|| texts.into_iter().collect());
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![String::new()]),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(|text| vec![text.to_lowercase()]),
        HirKind::Capture(capture) => texts(&capture.sub),
        HirKind::Alternation(parts) => {
            let parts: Vec<Vec<String>> = parts.iter().map(texts).collect::<Option<_>>()?;
            few(parts.into_iter().flatten().collect())
        }
        HirKind::Concat(parts) => parts.iter().try_fold(vec![String::new()], |before, part| {
            let more = texts(part)?;
            few(before.iter().flat_map(|one| more.iter().map(move |text| format!("{one}{text}"))).collect())
        }),
        HirKind::Class(Class::Unicode(class)) => {
            let members = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let members: Vec<char> = members.take(2 * TEXTS_MAX + 1).collect();
            // `(?i)s` has the long s as a third member, which is no `s` in lower case.
            let lower = |c: &char| if *c == 'ſ' { "s".to_owned() } else { c.to_lowercase().collect() };
            if members.len() > 2 * TEXTS_MAX { None } else { few(members.iter().map(lower).collect()) }
        }
        _ => None,
    }
}
