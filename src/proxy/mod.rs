//! The pipeline: what happens to an exchange, in order.
