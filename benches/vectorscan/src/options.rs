//! What the command line asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portcullis::scan::Context;

use crate::corpora::{self, Corpus};
use crate::engines::{REPLY, REQUEST};

pub const HELP: &str = "\
usage: portcullis-vectorscan [OPTION…] [NAME=FILE…]

NAME=FILE       texts to use in place of those that the benches make: plain text, cut into documents of 4 KB, or documents of
                [u32 length, little-endian][bytes] (*.bin)
--rules FOLDER  the rules (those of this repository)
--paranoia N    the rules up to this level, 1 to 4 (4: all)
--requests      requests and the rules for them, in place of replies
--lists N,N,…   lists of so many literals in place of the rules
--words FILE    their literals, a JSON list or one a line (made-up ones)
--rounds N      rounds of each measurement (5)
--case TEXT     only the engines with this in their name
--alone         without Vectorscan; for rules, what costs most comes first
--keep FOLDER   keeps what Vectorscan has compiled: all our rules take it three quarters of an hour
";

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub struct Options {
    pub rules: PathBuf,
    pub paranoia: u8,
    pub context: Context,
    pub lists: Vec<usize>,
    pub words: Option<Vec<String>>,
    pub rounds: usize,
    pub case: String,
    pub alone: bool,
    pub keep: Option<PathBuf>,
    /// The texts; near misses are not among them where they are made here.
    pub corpora: Vec<Corpus>,
    /// The texts are made here.
    pub made_here: bool,
}

impl Options {
    /// `None`: help was asked for.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            rules: Path::new(ROOT).join("rules"),
            paranoia: 4,
            context: REPLY,
            lists: Vec::new(),
            words: None,
            rounds: 5,
            case: String::new(),
            alone: false,
            keep: None,
            corpora: Vec::new(),
            made_here: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument}: a value is missing"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--rules" => options.rules = value()?.into(),
                "--paranoia" => options.paranoia = number(&argument, &value()?)?,
                "--requests" => options.context = REQUEST,
                "--lists" => {
                    options.lists =
                        value()?.split(',').map(|size| number(&argument, size)).collect::<Result<_, _>>()?;
                }
                "--words" => options.words = Some(words(&value()?)?),
                "--rounds" => options.rounds = number(&argument, &value()?)?,
                "--case" => options.case = value()?,
                "--alone" => options.alone = true,
                "--keep" => options.keep = Some(value()?.into()),
                _ => {
                    let (name, file) = argument.split_once('=').ok_or_else(|| format!("{argument}: no such option"))?;
                    options.corpora.push(Corpus { name: name.to_owned(), documents: documents(file)? });
                }
            }
        }
        if options.rounds == 0 {
            return Err("--rounds: at least one".to_owned());
        }
        if options.corpora.is_empty() {
            options.made_here = true;
            options.corpora = corpora::clean(Path::new(ROOT));
        }
        Ok(Some(options))
    }
}

fn number<N: FromStr>(option: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{option}: {text} is not a number that fits"))
}

fn words(file: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    Ok(serde_json::from_str(&text).unwrap_or_else(|_| text.lines().map(str::to_owned).collect()))
}

fn documents(file: &str) -> Result<Vec<String>, String> {
    let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let mut all = Vec::new();
    if file.ends_with(".bin") {
        let mut rest = bytes.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (document, next) =
                after.split_at_checked(length).ok_or_else(|| format!("{file}: it ends inside a document"))?;
            // What is not UTF-8 is no text to us: nobody is given it.
            all.extend(String::from_utf8(document.to_vec()));
            rest = next;
        }
        return Ok(all);
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut rest = text.as_ref();
    while !rest.is_empty() {
        let (document, next) = rest.split_at(corpora::boundary(rest, 4096));
        all.push(document.to_owned());
        rest = next;
    }
    Ok(all)
}
