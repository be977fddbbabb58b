//! Wire bytes to and from exchanges and passages, one folder per dialect. Knows shapes, decides nothing.
