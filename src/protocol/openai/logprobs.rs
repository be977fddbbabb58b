//! Log probabilities repeat a text token by token. Their tokens are joined, so that what is spelt over many of them is seen.
//!
//! For each list (`content`, `refusal`) there is one text of the chosen tokens, one for each rank of the alternatives and one
//! for the numbers in `bytes`. An edit of any of them makes the whole of `logprobs` null: half a list would still tell.

use crate::protocol::json::{Kind, Value};
use crate::text::{Channel, PathSegment, Role};

use super::lift::Lift;

/// Lifts one choice's `logprobs`; `channel` names the channel of a joined text by its path below `logprobs`.
pub(super) fn lift_logprobs(
    lift: &mut Lift,
    logprobs: Value<'_>,
    role: Role,
    channel: &impl Fn(&[PathSegment]) -> Option<Channel>,
) {
    let whole = |lift: &mut Lift, path: &[PathSegment], text: String| {
        if !text.is_empty() {
            lift.joined(text, role, logprobs, channel(path));
        }
    };
    lift.members(logprobs, Role::Unknown, |lift, key, value| {
        if value.kind() != Kind::Array {
            return lift.content(key, value, Role::Unknown);
        }
        let joined = join(lift, key, value);
        let mut path = vec![PathSegment::Key(key.into())];
        let is_same = joined.bytes == joined.tokens.as_bytes();
        let bytes = String::from_utf8_lossy(&joined.bytes).into_owned();
        // A plain reply need not read the same text twice. In a stream every piece counts for what stands around it.
        if !is_same || channel(&path).is_some() {
            path.push(PathSegment::Key("bytes".into()));
            lift.at_key("bytes", |lift| whole(lift, &path, bytes));
            path.pop();
        }
        whole(lift, &path, joined.tokens);
        path.push(PathSegment::Key("top_logprobs".into()));
        for (rank, text) in joined.ranks.into_iter().enumerate() {
            let rank = rank as u64;
            path.push(PathSegment::Index(rank));
            lift.at_key("top_logprobs", |lift| lift.at_index(rank, |lift| whole(lift, &path, text)));
            path.pop();
        }
    });
}

/// The texts of one list.
#[derive(Default)]
struct Joined {
    tokens: String,
    bytes: Vec<u8>,
    ranks: Vec<String>,
}

/// Joins a list; strings at other places in it become passages of their own.
fn join(lift: &mut Lift, key: &str, list: Value<'_>) -> Joined {
    let mut joined = Joined::default();
    lift.each(list, |lift, element| match element.as_str() {
        // Older replies list the tokens alone.
        Some(token) => joined.tokens.push_str(&token),
        None if element.kind() == Kind::Object => {
            lift.members(element, Role::Unknown, |lift, name, value| match name {
                "token" if value.kind() == Kind::String => joined.tokens.push_str(&value.as_str().unwrap_or_default()),
                "bytes" if value.kind() == Kind::Array => bytes(lift, value, &mut joined.bytes),
                "top_logprobs" if value.kind() == Kind::Array => ranks(lift, value, &mut joined.ranks),
                _ => lift.content(name, value, Role::Unknown),
            })
        }
        None => lift.content(key, element, Role::Unknown),
    });
    joined
}

fn ranks(lift: &mut Lift, list: Value<'_>, ranks: &mut Vec<String>) {
    let mut rank = 0;
    lift.each(list, |lift, element| {
        if ranks.len() <= rank {
            ranks.push(String::new());
        }
        let Some(text) = ranks.get_mut(rank) else { return };
        rank += 1;
        if element.kind() != Kind::Object {
            return lift.content("top_logprobs", element, Role::Unknown);
        }
        lift.members(element, Role::Unknown, |lift, name, value| match name {
            "token" if value.kind() == Kind::String => text.push_str(&value.as_str().unwrap_or_default()),
            "bytes" if value.kind() == Kind::Array => {
                let mut spelt = Vec::new();
                bytes(lift, value, &mut spelt);
                let token = element.get("token").and_then(Value::as_str);
                if token.is_none_or(|token| token.as_bytes() != spelt) {
                    text.push_str(&String::from_utf8_lossy(&spelt));
                }
            }
            _ => lift.content(name, value, Role::Unknown),
        });
    });
}

fn bytes(lift: &mut Lift, list: Value<'_>, out: &mut Vec<u8>) {
    lift.each(list, |lift, element| match element.kind() {
        Kind::Number => {
            lift.number("bytes", element);
            out.push(element.as_u64().and_then(|byte| u8::try_from(byte).ok()).unwrap_or(b'?'));
        }
        _ => lift.content("bytes", element, Role::Unknown),
    });
}
