//! The classifier: tokens, windows, scores.
