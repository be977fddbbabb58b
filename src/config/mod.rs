//! Files and environment become the typed configuration of each module.
