//! Word lists: one entry a line.

use super::{Imported, Named, Note};
use crate::base::limits::rules as limits;
use crate::rules::draft::{Draft, PatternForm};
use crate::text::canonical;
use crate::yaml::table::shown;

/// Entries up to which they stand in the rule itself.
pub const INLINE: usize = 50;

/// Translates a list into one rule. Empty lines are passed over, and so are comments: `#` and a blank, or more of it. Other lines
/// that begin with `#` would be comments in a list, too: they are left out and named.
///
/// `list`: the path, beside the rule file, that a longer list is given in.
///
/// # Errors
/// A list without an entry that can be searched.
pub fn import(text: &str, mut draft: Draft, list: &str) -> Result<(Imported, Vec<String>), String> {
    let mut imported = Imported::default();
    let mut entries: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let entry = line.trim();
        let comment = entry.strip_prefix('#');
        if entry.is_empty() || comment.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '#', '!'])) {
            continue;
        }
        let folded = canonical(entry).text.to_lowercase();
        let what = if comment.is_some() {
            format!("`{}` begins with `#`, as comments do: write it as a pattern of a rule", shown(entry))
        } else if entry.chars().any(char::is_control) {
            // Nobody writes one, and in a file it would be an escape that reads as something else.
            format!("`{}` has a control character", shown(&entry.escape_debug().to_string()))
        } else if folded.len() < limits::LITERAL_BYTES_MIN {
            format!("`{entry}` is shorter than {} bytes", limits::LITERAL_BYTES_MIN)
        } else if entry.len() > limits::PATTERN_BYTES {
            format!("an entry of {} bytes, {} are allowed", entry.len(), limits::PATTERN_BYTES)
        } else if !seen.insert(folded) {
            format!("`{entry}` is there already")
        } else {
            entries.push(entry.to_owned());
            continue;
        };
        imported.notes.push(Note { name: format!("line {}", number + 1), what, left_out: true });
    }
    let [first, rest @ ..] = entries.as_slice() else {
        return Err(format!("it has no entry of {} bytes or more", limits::LITERAL_BYTES_MIN));
    };
    let second = rest.first().unwrap_or(first);
    draft.matching = vec![
        (format!("It is about {first}."), Some(first.clone())),
        (format!("{second}, they say"), Some(second.clone())),
    ];
    draft.passing = vec![format!("x{first}x"), "Nothing on the list.".to_owned()];
    draft.patterns = match entries.len() {
        ..=INLINE => entries.iter().map(|entry| (PatternForm::Word, entry.clone())).collect(),
        _ => vec![(PatternForm::List, list.to_owned())],
    };
    imported.rules.push(Named { name: draft.id.clone(), draft });
    Ok((imported, entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_words_and_what_is_not_taken_is_named() {
        let text = "\u{feff}# head\n#tag\nProject Nightfall\n\n  daybreak \nab\nDAYBREAK\n";
        let (imported, entries) = import(text, Draft::default(), "lists/x.txt").unwrap();
        assert_eq!(entries, ["Project Nightfall", "daybreak"]);
        assert_eq!(
            imported.notes.iter().map(|note| note.name.as_str()).collect::<Vec<_>>(),
            ["line 2", "line 6", "line 7"]
        );
        let draft = &imported.rules[0].draft;
        assert_eq!(draft.patterns[1], (PatternForm::Word, "daybreak".to_owned()));
        assert_eq!(
            draft.matching[0],
            ("It is about Project Nightfall.".to_owned(), Some("Project Nightfall".to_owned()))
        );
        assert!(import("# nothing\nab", Draft::default(), "x").is_err());
    }

    #[test]
    fn control_characters_are_no_words() {
        let (imported, entries) = import("\0bad one\na\tb c\nesc\u{1b}[0m\nplain\n", Draft::default(), "x").unwrap();
        assert_eq!(entries, ["plain"]);
        let told: Vec<&str> = imported.notes.iter().map(|note| note.what.as_str()).collect();
        let has = |text: &str| format!("`{text}` has a control character");
        assert_eq!(told, [has("\\0bad one"), has("a\\tb c"), has("esc\\u{1b}[0m")]);
    }

    #[test]
    fn long_lists_go_into_a_file() {
        let text = |count: usize| (0..count).map(|number| format!("word{number}\n")).collect::<String>();
        let form =
            |count| import(&text(count), Draft::default(), "lists/x.txt").unwrap().0.rules[0].draft.patterns[0].clone();
        assert_eq!(form(INLINE).0, PatternForm::Word);
        assert_eq!(form(INLINE + 1), (PatternForm::List, "lists/x.txt".to_owned()));
    }
}
