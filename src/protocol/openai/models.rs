//! `GET /v1/models`: the list as a provider sends it, and the list that Portcullis makes itself.

use bytes::Bytes;

use crate::base::{Cause, Fault, Limits};
use crate::inspect::{Edit, Encode, Subject};
use crate::protocol::json::{Document, Value, quote, splice};
use crate::text::{Passage, Role};

use super::edits::replacements;
use super::lift::{Lift, Lifted};
use super::provider_fault;

/// A list of models. All its strings are passages of unknown role.
#[derive(Debug)]
pub struct ModelList {
    document: Document,
    lifted: Lifted,
}

impl ModelList {
    /// Reads a provider's list.
    pub fn parse(body: Bytes, limits: &Limits) -> Result<Self, Fault> {
        if body.len() > limits.reply_bytes {
            return Err(provider_fault(Cause::Oversize, format!("a list of models of {} bytes", body.len())));
        }
        let document =
            Document::parse(body, limits).map_err(|error| provider_fault(error.cause(), error.to_string()))?;
        let mut lift = Lift::new(limits);
        lift.content("", document.root(), Role::Unknown);
        let lifted = lift.finish().map_err(|fault| provider_fault(fault.cause, fault.detail))?;
        Ok(Self { document, lifted })
    }

    /// The models' names, in order.
    pub fn ids(&self) -> Vec<String> {
        let data = self.document.root().get("data");
        let models = data.into_iter().flat_map(Value::elements);
        models.filter_map(|model| model.get("id").and_then(Value::as_str)).map(Into::into).collect()
    }
}

/// The body of a list made from configured names; each entry is a model and who serves it.
pub fn body<'a>(models: impl IntoIterator<Item = (&'a str, &'a str)>, created: u64) -> Bytes {
    let mut out = String::from("{\"object\":\"list\",\"data\":[");
    for (at, (id, owner)) in models.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str("{\"id\":");
        quote(id, &mut out);
        out.push_str(&format!(",\"object\":\"model\",\"created\":{created},\"owned_by\":"));
        quote(owner, &mut out);
        out.push('}');
    }
    out.push_str("]}");
    Bytes::from(out)
}

impl Subject for ModelList {
    fn passages(&self) -> &[Passage<'static>] {
        &self.lifted.passages
    }
}

impl Encode for ModelList {
    fn encode(&self, edits: &[Edit]) -> Bytes {
        splice(self.document.bytes(), replacements(&self.document, &self.lifted.passages, &self.lifted.slots, edits))
    }
}
