//! The record: events, the spool that outlives a crash, the hash chain, and the stores they are shipped to.
