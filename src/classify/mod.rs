//! The classifier: texts in, tokens, windows, scores out. Works on [`crate::model`]; knows nothing of rules.
//!
//! ```text
//! texts ─► pieces ─► tokens ─► windows (within the budget) ─► model::Pool ─► logits ─► Judged
//!                                    └─ what is over the budget ─► Judged::unjudged
//! ```

mod classifier;
mod golden;
pub mod metrics;
mod pieces;
mod plan;
mod score;
mod shadow;
mod ticket;
mod tokens;
mod windows;

pub use classifier::{Classifier, ClassifierConfig};
pub use score::{Judged, Label, WindowScore};
pub use shadow::{Answered, Disagreement, Shadow, ShadowFigures, ShadowTransition};
pub use ticket::Ticket;
