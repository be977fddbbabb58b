//! What was recorded of an exchange, made ready to be judged again.

use jiff::civil::Date;

use crate::audit::{Begin, PassageText};
use crate::inspect::Subject;
use crate::rules::Facts;
use crate::text::Passage;

/// Recorded texts as a message.
#[derive(Clone, Debug)]
pub(crate) struct Recorded(pub(crate) Vec<Passage<'static>>);

impl Subject for Recorded {
    fn passages(&self) -> &[Passage<'static>] {
        &self.0
    }
}

/// What the record knows of an exchange. Header fields it does not keep.
pub(crate) fn facts(begin: &Begin, today: Date) -> Facts {
    Facts {
        tenant: Some(begin.tenant.clone()),
        key: begin.key_id.clone(),
        model: begin.model_asked.clone(),
        route: Some(begin.route.clone()),
        today: Some(today),
        ..Facts::default()
    }
}

/// The passages as they were judged. Which of them belong together is told by their places: the record does not say.
pub(crate) fn passages(texts: Vec<PassageText>) -> Vec<Passage<'static>> {
    let mut parents: Vec<String> = Vec::new();
    let mut passages = Vec::with_capacity(texts.len());
    for PassageText { role, place, text } in texts {
        let group = part_of(&place).map(|parent| {
            let at = parents.iter().rposition(|known| known == parent).unwrap_or_else(|| {
                parents.push(parent.to_owned());
                parents.len() - 1
            });
            u32::try_from(at).unwrap_or(u32::MAX)
        });
        let mut passage = Passage::new(role, place, text);
        passage.group = group;
        passages.push(passage);
    }
    passages
}

/// The content of which a place is one part: `/messages/0/content` of `/messages/0/content/2/text`.
fn part_of(place: &str) -> Option<&str> {
    let place = place.strip_suffix("/text").or_else(|| place.strip_suffix("/refusal")).unwrap_or(place);
    let (parent, number) = place.rsplit_once('/')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && parent.ends_with("/content")).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Role;

    #[test]
    fn parts_of_one_content_are_read_together() {
        let text = |place: &str| PassageText { role: Role::User, place: place.to_owned(), text: "x".to_owned() };
        let texts = [
            "/messages/0/content",
            "/messages/1/content/0/text",
            "/messages/1/content/1/text",
            "/messages/2/content/0",
        ];
        let groups: Vec<_> = passages(texts.map(text).to_vec()).iter().map(|passage| passage.group).collect();
        assert_eq!(groups, [None, Some(0), Some(0), Some(1)]);
        assert_eq!(part_of("/tools/0/function/description"), None);
        assert_eq!(part_of("/x/3"), None);
    }
}
