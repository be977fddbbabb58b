//! Many languages: paragraphs of sentences from multilingual.txt, written for this, each paragraph in one language.

use super::DOCUMENT_BYTES;
use super::draw::Draw;
use super::english::{Sentences, sections};

const SENTENCES: &str = include_str!("multilingual.txt");

/// The sentences of each language.
pub struct Languages {
    languages: Vec<Vec<String>>,
    /// Examples of rules, which they leave alone, in any language but English.
    passing: Vec<String>,
}

impl Languages {
    pub fn new(passing: Vec<String>) -> Self {
        Self { languages: sections(SENTENCES).into_values().collect(), passing }
    }

    /// Paragraphs; now and then one in English, as people mix them.
    pub fn document(&self, draw: &mut Draw, english: &Sentences) -> String {
        let mut text = String::new();
        while text.len() < DOCUMENT_BYTES {
            let is_english = draw.once_in(8);
            text.push_str(&if is_english { english.sentence(draw) } else { self.paragraph(draw) });
            text.push('\n');
        }
        text
    }

    /// A few sentences of one language, none of them twice, or an example.
    pub fn paragraph(&self, draw: &mut Draw) -> String {
        if draw.once_in(3) && !self.passing.is_empty() {
            return draw.pick(&self.passing).clone();
        }
        let mut order: Vec<&str> = draw.pick(&self.languages).iter().map(String::as_str).collect();
        draw.shuffle(&mut order);
        order.truncate(2 + draw.below(4));
        order.join(" ")
    }
}
