//! Which provider answers: a pure choice over names.
