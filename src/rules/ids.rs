//! Ids of rules as they stand in files, whether the files load or not.

use std::fs;
use std::path::Path;

use super::family;
use super::folder;

/// What stands behind each `id:` of a text and has the form of a rule's id.
pub fn in_text(text: &str) -> impl Iterator<Item = &str> {
    text.split("id:").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches([' ', '\t', '\'', '"']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        rest.get(..end).filter(|id| family::is_id(id))
    })
}

/// The ids in all rule files below a folder. One that is not there has none.
///
/// # Errors
/// A folder or a file that cannot be read: its ids would be given twice.
pub fn below(folder: &Path) -> Result<Vec<String>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let files = folder::rule_files(folder).map_err(|found| format!("{}: {}", found.folder.display(), found.message))?;
    let mut ids = Vec::new();
    for file in files {
        let content = fs::read(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        ids.extend(in_text(&String::from_utf8_lossy(&content)).map(str::to_owned));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_however_they_are_written() {
        let text = "- id: LEAK-500\n- { id: 'LEAK-501', title: x }\n-  title: y\n   id:   \"LEAK-1502\"\nid: none\n# LEAK-503\n";
        assert_eq!(in_text(text).collect::<Vec<_>>(), ["LEAK-500", "LEAK-501", "LEAK-1502"]);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("names")).unwrap();
        fs::write(folder.path().join("names/a.yaml"), b"id: LEAK-600 \xff [").unwrap();
        assert_eq!(below(folder.path()).unwrap(), ["LEAK-600"]);
        assert!(below(&folder.path().join("none")).unwrap().is_empty());
    }
}
