//! Recorded traffic in files of JSON lines.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::traffic::Traffic;
use super::{Replay, TOO_LONG};
use crate::app;
use crate::cli::Failure;
use crate::cli::eval::rows::{LINE_BYTES, open};
use crate::review::replay::Origin;
use crate::rules::Facts;
use crate::text::{Direction, Passage, Role};

/// A row as written. Other keys are nobody's business here.
#[derive(Deserialize)]
struct Row {
    text: Option<String>,
    role: Option<Role>,
    direction: Option<Direction>,
    label: Option<String>,
    tenant: Option<String>,
    model: Option<String>,
    id: Option<Value>,
    /// The system prompt of the same conversation.
    system: Option<String>,
    request: Option<Box<RawValue>>,
    reply: Option<Box<RawValue>>,
}

/// What a request says of itself.
#[derive(Deserialize)]
struct Asked {
    model: Option<String>,
}

/// Why a line is not replayed.
const NO_ROW: &str = "not a row";

pub(super) fn read(files: &[PathBuf], replay: &mut Replay) -> Result<(), Failure> {
    files.iter().try_for_each(|file| {
        one(file, replay).map_err(|error| Failure::job(format!("{} cannot be read: {error}", file.display())))
    })
}

fn one(file: &Path, replay: &mut Replay) -> std::io::Result<()> {
    let mut lines = open(file, &ProgressBar::hidden())?;
    let mut buffer = Vec::new();
    for number in 1usize.. {
        let place = || format!("{}:{number}", file.display());
        buffer.clear();
        if lines.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut buffer)? == 0 {
            break;
        }
        if buffer.len() as u64 > LINE_BYTES {
            // Where the next row begins is past finding out cheaply, and such a file is no record of ours.
            let message = format!("{}: a line of more than {LINE_BYTES} bytes", place());
            return Err(std::io::Error::other(message));
        }
        if buffer.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(&buffer) {
            Ok(row) => take(row, place, replay),
            Err(error) => replay.skip(NO_ROW, || format!("{} ({})", place(), what_is_wrong(&error))),
        }
    }
    Ok(())
}

fn take(row: Row, place: impl Fn() -> String, replay: &mut Replay) {
    let id = match &row.id {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => place(),
    };
    let origin = |direction| Origin { id: id.clone(), direction, label: row.label.clone() };
    let asked = row.request.as_ref().and_then(|body| serde_json::from_str::<Asked>(body.get()).ok());
    let model = row.model.or(asked.and_then(|asked| asked.model));
    let facts = Facts { tenant: row.tenant, model, today: Some(app::today()), ..Facts::default() };
    let bodies = [(row.request, Direction::Request), (row.reply, Direction::Reply)];
    let mut said = false;
    for (body, direction) in bodies {
        let Some(body) = body else { continue };
        said = true;
        let body = Bytes::copy_from_slice(body.get().as_bytes());
        add(origin(direction), Traffic::Body(body), facts.clone(), replay);
    }
    if let Some(text) = row.text {
        said = true;
        let direction = row.direction.unwrap_or(Direction::Request);
        let usual = match direction {
            Direction::Reply => Role::Assistant,
            Direction::Request => Role::Unknown,
        };
        let mut texts = vec![Passage::new(row.role.unwrap_or(usual), "/text", text)];
        texts.extend(row.system.map(|text| Passage::new(Role::System, "/system", text)));
        add(origin(direction), Traffic::Texts(texts), facts, replay);
    }
    if !said {
        replay.skip(NO_ROW, || format!("{} (it has none of text, request, reply)", place()));
    }
}

fn add(origin: Origin, traffic: Traffic, facts: Facts, replay: &mut Replay) {
    if traffic.bytes() > replay.limits.body_bytes {
        return replay.skip(TOO_LONG, || origin.id);
    }
    replay.add(origin, traffic, facts);
}

/// A value of a wrong type is told in the parser's words; its own "at line 1 column …" speaks of a line that is this one.
fn what_is_wrong(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Data => error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        Category::Eof | Category::Io | Category::Syntax => format!("not JSON, from column {}", error.column().max(1)),
    }
}
