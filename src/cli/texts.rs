//! Texts from the command line as a message that `inspect` can judge.

use crate::inspect::Subject;
use crate::text::{Passage, Role};

/// One text, and where it matters the system prompt that goes before it.
#[derive(Clone, Debug)]
pub(super) struct Texts(Vec<Passage<'static>>);

impl Texts {
    /// A text of this role.
    pub(super) fn new(role: Role, text: String) -> Self {
        Self(vec![Passage::new(role, "/text", text)])
    }

    /// As a text of this tool.
    pub(super) fn of_tool(mut self, name: Option<&str>) -> Self {
        self.0.iter_mut().for_each(|passage| passage.tool = name.map(Into::into));
        self
    }

    /// With the system prompt of the same conversation.
    pub(super) fn with_system(mut self, system: Option<String>) -> Self {
        self.0.extend(system.map(|text| Passage::new(Role::System, "/system", text)));
        self
    }
}

impl Subject for Texts {
    fn passages(&self) -> &[Passage<'static>] {
        &self.0
    }
}
