//! The engines: ours, Vectorscan's, aho-corasick's.

use aho_corasick::AhoCorasick;
use portcullis::scan::{Context, Reading, Scanner};
use portcullis::text::{Direction, Role, canonical};

use crate::corpora::{Corpus, boundary};
use crate::hs;
use crate::measure::{Case, Run};

/// Bytes that a stream brings at a time.
const CHUNK: usize = 64;

/// Replies are what may come whole or as a stream.
pub const REPLY: Context = Context { direction: Direction::Reply, role: Role::Assistant };
/// What most rules judge.
pub const REQUEST: Context = Context { direction: Direction::Request, role: Role::ToolResult };

/// Canonical form and scan; the scan alone; of replies the scan of a stream.
pub fn ours(scanner: &Scanner, context: Context) -> Vec<Case<'_>> {
    let mut cases = vec![
        Case::new("portcullis scan", whole(scanner, context, true)),
        Case::new("portcullis scan only", whole(scanner, context, false)),
    ];
    if context == REPLY {
        cases.push(Case::new("portcullis stream 64 B", streaming(scanner)));
    }
    cases
}

pub fn block(database: &hs::Database) -> Case<'_> {
    let count = move |documents: &[String]| documents.iter().map(|text| database.block(text.as_bytes())).sum();
    Case::new("vectorscan block", Box::new(count))
}

pub fn stream(database: &hs::Database) -> Case<'_> {
    let count = move |documents: &[String]| documents.iter().map(|text| database.stream(text.as_bytes(), CHUNK)).sum();
    Case::new("vectorscan stream 64 B", Box::new(count))
}

pub fn aho_corasick(dfa: &AhoCorasick) -> Case<'_> {
    let count = |documents: &[String]| documents.iter().map(|text| dfa.find_iter(text).count() as u64).sum();
    Case::new("aho-corasick DFA", Box::new(count))
}

fn whole(scanner: &Scanner, context: Context, fold: bool) -> Run<'_> {
    let mut scratch = scanner.scratch();
    let mut out = Vec::new();
    Box::new(move |documents| {
        let mut found = 0;
        for text in documents {
            out.clear();
            let folded = fold.then(|| canonical(text)).filter(|folded| !folded.map.is_identity());
            match folded {
                Some(folded) => {
                    scanner.scan(text, Reading::Raw, context, &mut scratch, &mut out);
                    scanner.scan(&folded.text, Reading::Canonical, context, &mut scratch, &mut out);
                }
                None => scanner.scan(text, Reading::Both, context, &mut scratch, &mut out),
            }
            found += out.len() as u64;
        }
        found
    })
}

fn streaming(scanner: &Scanner) -> Run<'_> {
    let mut scratch = scanner.scratch();
    let mut out = Vec::new();
    Box::new(move |documents| {
        let mut found = 0;
        for text in documents {
            out.clear();
            let mut stream = scanner.stream(Role::Assistant, text.len());
            for piece in pieces(text) {
                stream.push(piece, &mut scratch, &mut out);
            }
            stream.finish(&mut scratch, &mut out);
            found += out.len() as u64;
        }
        found
    })
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, next) = rest.split_at(boundary(rest, CHUNK));
        rest = next;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Bytes that a stream holds back after each piece, in order of size.
pub fn held_back(scanner: &Scanner, corpus: &Corpus) -> Vec<usize> {
    let (mut scratch, mut out, mut held) = (scanner.scratch(), Vec::new(), Vec::new());
    for text in &corpus.documents {
        let mut stream = scanner.stream(Role::Assistant, text.len());
        for piece in pieces(text) {
            stream.push(piece, &mut scratch, &mut out);
            held.push(stream.len() - stream.safe());
        }
        out.clear();
    }
    held.sort_unstable();
    held
}

/// Bytes of the compiled set, and of one scratch that has seen all texts whole and, if they are replies, as streams.
pub fn memory(scanner: &Scanner, context: Context, corpora: &[&Corpus]) -> (usize, usize) {
    let mut scratch = scanner.scratch();
    let mut out = Vec::new();
    for text in corpora.iter().flat_map(|corpus| &corpus.documents) {
        out.clear();
        scanner.scan(text, Reading::Raw, context, &mut scratch, &mut out);
        scanner.scan(&canonical(text).text, Reading::Canonical, context, &mut scratch, &mut out);
        if context != REPLY {
            continue;
        }
        let (mut stream, mut out) = (scanner.stream(Role::Assistant, text.len()), Vec::new());
        pieces(text).for_each(|piece| stream.push(piece, &mut scratch, &mut out));
        stream.finish(&mut scratch, &mut out);
    }
    (scanner.memory(), scratch.memory())
}
