//! The hot path: one literal pass over all rules, then regex confirmation; whole texts and streams.
