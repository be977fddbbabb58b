//! Families: the topics of rules, their folders and the prefixes of their ids.

use std::path::Path;

use serde::Serialize;

/// The topic of a rule: its folder, and the prefix of its id.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the folders under rules/, described in docs/rules.md")]
pub enum Family {
    Agent,
    Extraction,
    Injection,
    Invisible,
    Jailbreak,
    Leak,
    Markup,
    Output,
    Pii,
    Secrets,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 10] = [
        Self::Agent,
        Self::Extraction,
        Self::Injection,
        Self::Invisible,
        Self::Jailbreak,
        Self::Leak,
        Self::Markup,
        Self::Output,
        Self::Pii,
        Self::Secrets,
    ];

    /// Its name and its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Extraction => "extraction",
            Self::Injection => "injection",
            Self::Invisible => "invisible",
            Self::Jailbreak => "jailbreak",
            Self::Leak => "leak",
            Self::Markup => "markup",
            Self::Output => "output",
            Self::Pii => "pii",
            Self::Secrets => "secrets",
        }
    }

    /// The first part of its rules' ids.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Agent => "AGT",
            Self::Extraction => "EXT",
            Self::Injection => "INJ",
            Self::Invisible => "INV",
            Self::Jailbreak => "JBK",
            Self::Leak => "LEAK",
            Self::Markup => "MRK",
            Self::Output => "OUT",
            Self::Pii => "PII",
            Self::Secrets => "SEC",
        }
    }

    /// A rule's id: at least three digits.
    pub fn id(self, number: u32) -> String {
        format!("{}-{number:03}", self.prefix())
    }

    /// True for a file in this family's folder, or in a folder below: of the folders from `root` down to the file that have a
    /// family's name, the nearest has this one's. Where the rules are installed says nothing.
    pub fn holds(self, root: &Path, file: &Path) -> bool {
        let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        let names = folders.filter_map(|folder| folder.file_name()?.to_str());
        let mut families = names.filter_map(|name| Self::ALL.into_iter().find(|family| family.name() == name));
        families.next() == Some(self)
    }

    /// True for an id that begins with this family's prefix.
    pub fn owns(self, id: &str) -> bool {
        id.split_once('-').is_some_and(|(prefix, _)| prefix == self.prefix())
    }
}

/// Largest number of a rule in its family.
pub const NUMBER_MAX: u32 = 99_999;

/// First number of a site's own rules: shipped ones stay below.
pub const OWN_FIRST: u32 = 900;

/// True for a family's prefix, a hyphen and three to five digits. Each number is written in one way: more than three digits do
/// not begin with a nought.
pub fn is_id(text: &str) -> bool {
    let Some((prefix, number)) = text.split_once('-') else { return false };
    Family::ALL.iter().any(|family| family.prefix() == prefix)
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && (number.len() == 3 || ((4..=5).contains(&number.len()) && !number.starts_with('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_nearest_family_above_it() {
        for (root, file, expected) in [
            ("", "pii/contact.yaml", true),
            ("rules", "rules/pii/europe/baltics/lithuania.yaml", true),
            ("/srv/agent/rules", "/srv/agent/rules/pii/contact.yaml", true),
            ("/srv/pii", "/srv/pii/contact.yaml", true),
            ("/srv/pii/rules", "/srv/pii/rules/contact.yaml", false),
            ("/srv/pii/rules", "/srv/pii/rules/europe/contact.yaml", false),
            ("", "pii/leak/contact.yaml", false),
            ("", "europe/pii.yaml", false),
            ("", "pii", false),
        ] {
            assert_eq!(Family::Pii.holds(Path::new(root), Path::new(file)), expected, "{file}");
        }
    }

    #[test]
    fn every_number_has_one_id() {
        let ids = [0, 7, 999, 1000, 12_345, NUMBER_MAX].map(|number| Family::Leak.id(number));
        assert_eq!(ids, ["LEAK-000", "LEAK-007", "LEAK-999", "LEAK-1000", "LEAK-12345", "LEAK-99999"]);
        assert!(ids.iter().all(|id| is_id(id) && Family::Leak.owns(id) && !Family::Pii.owns(id)));
        assert!(!is_id(&Family::Leak.id(NUMBER_MAX + 1)));
        for wrong in
            ["", "LEAK", "LEAK-", "LEAK-07", "LEAK-0007", "LEAK-01000", "LEAK-1e3", "leak-007", "XYZ-007", "LEAK-007-1"]
        {
            assert!(!is_id(wrong), "{wrong}");
        }
    }
}
