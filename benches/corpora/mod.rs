//! Texts for the benches, the same in every run of one checkout: clean English, code, JSON and many languages, near misses made
//! of the patterns themselves, and lists of literals. From the repository's own prose and sources and from the two text files
//! in this folder, so that whoever has the repository has the texts.

mod code;
mod draw;
mod english;
mod json;
pub mod lists;
mod multilingual;
pub mod near_misses;
mod passing;

use std::path::Path;

use draw::Draw;

/// Bytes of each corpus, and of one document in it.
const BYTES: usize = 1_000_000;
const DOCUMENT_BYTES: usize = 4096;

/// Texts of one kind.
pub struct Corpus {
    pub name: String,
    pub documents: Vec<String>,
}

impl Corpus {
    fn new(name: &str, documents: Vec<String>) -> Self {
        Self { name: name.to_owned(), documents }
    }

    pub fn bytes(&self) -> usize {
        self.documents.iter().map(String::len).sum()
    }

    /// One text of (nearly) so many bytes, of documents one after the other.
    pub fn text(&self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + DOCUMENT_BYTES);
        for document in self.documents.iter().cycle().take_while(|_| !self.documents.is_empty()) {
            if text.len() >= bytes {
                break;
            }
            text.push_str(document);
            text.push('\n');
        }
        text.truncate(boundary(&text, bytes));
        text
    }
}

/// The first end of a character at or behind a place.
pub fn boundary(text: &str, at: usize) -> usize {
    (at.min(text.len())..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The four kinds of clean text. `root`: the repository.
pub fn clean(root: &Path) -> Vec<Corpus> {
    let (english, others) = passing::examples(root);
    let sentences = english::Sentences::of(root, english);
    let languages = multilingual::Languages::new(others);
    vec![
        Corpus::new("english", filled(1, |draw| sentences.document(draw))),
        Corpus::new("code", code::documents(root)),
        Corpus::new("json", filled(3, |draw| json::document(draw, &sentences, &languages))),
        Corpus::new("multilingual", filled(4, |draw| languages.document(draw, &sentences))),
    ]
}

/// Documents until there are [`BYTES`].
fn filled(seed: u64, document: impl Fn(&mut Draw) -> String) -> Vec<String> {
    let mut draw = Draw::new(seed);
    let (mut documents, mut bytes) = (Vec::new(), 0);
    while bytes < BYTES {
        let document = document(&mut draw);
        bytes += document.len();
        documents.push(document);
    }
    documents
}
