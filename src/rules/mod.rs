//! Rules as people write them: YAML, checked, compiled into an immutable rule set; diagnostics for people.
