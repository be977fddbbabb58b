//! `transforms`: names of encodings, or one word.

use super::super::source::Text;
use super::super::transforms::{DISGUISES, ENCODINGS, Transforms};
use crate::yaml::diagnostic::Reporter;
use crate::yaml::suggest;
use crate::yaml::table::{At, shown};

pub(super) fn transforms(written: &At<Vec<Text>>, report: &mut Reporter<'_>) -> Transforms {
    match written.value.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().as_slice() {
        ["all"] => return Transforms::All,
        ["encodings"] => return Transforms::Encodings,
        ["none"] => return Transforms::Only(Vec::new()),
        _ => {}
    }
    let known: Vec<&'static str> = ENCODINGS.into_iter().chain(DISGUISES).collect();
    let mut names = Vec::new();
    for Text { place, value } in &written.value {
        match known.iter().find(|known| *known == value) {
            Some(name) if !names.contains(name) => names.push(*name),
            Some(name) => {
                report.error("R007", *place, format!("`{name}` stands here twice"), "keep one of them");
            }
            None => {
                let words = ["all", "encodings", "none"];
                let is_word = words.contains(&value.as_str());
                let help = match is_word {
                    true => format!("write it alone: `transforms: {value}`"),
                    false => suggest::help(value, &[known.as_slice(), &words].concat()),
                };
                report.error("R007", *place, format!("a transform cannot be `{}`", shown(value)), help);
            }
        }
    }
    if written.value.is_empty() {
        let help = "write `transforms: none` for none, or leave it out for the usual ones";
        report.error("R005", written.place, "the list of transforms is empty", help);
    }
    Transforms::Only(names)
}
