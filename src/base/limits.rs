//! Every bound in one place. Each limit is named, documented here, and tested at n and n + 1.
//!
//! Values may be changed in the configuration under `limits:`; a missing key keeps the value below.

use serde::{Deserialize, Serialize};

/// The highest [`Limits::token_depth`]: what is put back may double with every document around it.
pub const TOKEN_DEPTH_MAX: usize = 8;

/// All limits of the appliance. Sizes in bytes, times in milliseconds, counts as they are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Client connections held open at once; further ones wait in the listener's backlog.
    pub connections: usize,
    /// Exchanges worked on at once; one more is answered 503 (cause `overload`).
    pub exchanges: usize,
    /// Exchanges of one principal worked on at once; one more is answered 503 (cause `overload`).
    pub principal_exchanges: usize,
    /// Principals that are slowed down at once; for one more, the one whose time ends first is let go.
    pub throttled: usize,
    /// Refusals written to the record at once; further ones wait, so that a flood of them leaves the slots to exchanges.
    pub refusals: usize,
    /// Bytes of one request's head (request line and header fields).
    pub header_bytes: usize,
    /// Header fields in one request.
    pub header_count: usize,
    /// Bytes of a request body, counted after decompression.
    pub body_bytes: usize,
    /// Bytes of a plain (not streamed) reply body, counted after decompression.
    pub reply_bytes: usize,
    /// Bytes of a streamed reply in total.
    pub stream_bytes: usize,
    /// Bytes of text put back in the place of tokens, in one reply; further tokens stay what they are.
    pub restored_bytes: usize,
    /// JSON documents inside each other in a tool's arguments, each a string of the one around it, in which texts are put
    /// back in the place of tokens; deeper tokens stay what they are. [`TOKEN_DEPTH_MAX`] at most.
    pub token_depth: usize,
    /// Bytes of one server-sent event.
    pub event_bytes: usize,
    /// Bytes of one channel that a stream may hold back (tool arguments are held until the call is whole).
    pub hold_bytes: usize,
    /// Separate channels (choice × text, reasoning, tool call …) in one streamed reply.
    pub channels: usize,
    /// Nesting of JSON objects and arrays; 256 at most.
    pub json_depth: usize,
    /// Values in one JSON document.
    pub json_values: usize,
    /// Bytes of one JSON number.
    pub json_number_bytes: usize,
    /// Passages lifted from one body.
    pub passages: usize,
    /// Bytes at each border of two messages of one role that are read together.
    pub edge_bytes: usize,
    /// Layers of encoding undone, one inside the other.
    pub decode_depth: usize,
    /// Bytes that decoding one passage may produce in total.
    pub decode_bytes: usize,
    /// Decoded layers of one passage.
    pub decode_layers: usize,
    /// Findings recorded for one exchange; the verdict still counts all of them.
    pub findings: usize,
    /// Model windows classified for one message (a request, a reply, one choice of a stream); more is the fault `unjudged`.
    pub model_windows: usize,
    /// Windows waiting for the model in total; more is the fault `overload`.
    pub model_queue: usize,
    /// Bytes of a model's or a tokenizer's file; a larger one is refused.
    pub model_file_bytes: u64,
    /// Bytes of a model's manifest and of its golden file, each; a larger one is refused.
    pub model_manifest_bytes: u64,
    /// Nesting of messages in a model's file (graphs within attributes within nodes …); a deeper one is refused.
    pub model_depth: usize,
    /// Operators in a model's file, in all its graphs; more are refused.
    pub model_nodes: usize,
    /// Sessions (and threads) of one model; more are refused.
    pub model_threads: usize,
    /// Time the model has for one message, in milliseconds; more is the fault `timeout`.
    pub model_ms: u64,
    /// Milliseconds between two looks for a promoted model.
    pub model_follow_ms: u64,
    /// HTTP/2 streams that a client may have open at once on one connection.
    pub streams: usize,
    /// HTTP/2 streams reset before they were answered that one connection may have pending; more ends it.
    pub stream_resets: usize,
    /// Time a client has to send a request's head, in milliseconds.
    pub head_ms: u64,
    /// Time a client has to send a request's body, in milliseconds.
    pub body_ms: u64,
    /// Time an idle client connection is kept, in milliseconds.
    pub idle_ms: u64,
    /// Time one exchange may take in all, in milliseconds.
    pub exchange_ms: u64,
    /// Time to connect to a provider (TCP and TLS), in milliseconds.
    pub connect_ms: u64,
    /// Time a provider has until its reply's head, in milliseconds.
    pub first_byte_ms: u64,
    /// Longest silence inside a provider's reply, in milliseconds.
    pub silence_ms: u64,
    /// Time open exchanges have to end once the appliance drains, in milliseconds.
    pub drain_ms: u64,
    /// Bytes the audit spool may hold on disk; more is the fault `audit_full`.
    pub spool_bytes: u64,
    /// Audit slots reserved and not yet settled; more is the fault `audit_full`.
    pub audit_slots: usize,
    /// Bytes of one audit record without the opted-in text; a larger one loses its least severe findings and says so.
    /// Each slot holds room for two of them in the spool.
    pub audit_record_bytes: usize,
    /// Bytes of opted-in prompt or reply text in one audit record; more is cut, and the record says so.
    pub audit_text_bytes: usize,
    /// Policies kept on disk to go back to; the one in force is always among them.
    pub policies: usize,
    /// Bytes of all policies that are kept on disk.
    pub policies_bytes: u64,
    /// Bytes of one policy: its configuration and everything in its rules folders; a larger one is refused.
    pub policy_bytes: u64,
    /// Files and folders in the rules folders of one policy; more are refused.
    pub policy_files: usize,
    /// Attempts to change the policy that the admin port still tells of.
    pub policy_attempts: usize,
    /// Problems of one attempt that are told; the others are counted.
    pub policy_problems: usize,
    /// Policies in memory at once: the one in force and those that open exchanges began with; a reload beyond is refused.
    pub policies_live: usize,
    /// Silence of the watched files after which they are read, in milliseconds.
    pub watch_quiet_ms: u64,
    /// Longest time that files which keep changing are waited for, in milliseconds.
    pub watch_busy_ms: u64,
    /// Time between two looks at the watched files where the system tells of no change, in milliseconds.
    pub watch_poll_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            exchanges: 512,
            principal_exchanges: 128,
            throttled: 65_536,
            refusals: 64,
            header_bytes: 64 * 1024,
            header_count: 100,
            body_bytes: 16 * 1024 * 1024,
            reply_bytes: 32 * 1024 * 1024,
            stream_bytes: 64 * 1024 * 1024,
            restored_bytes: 32 * 1024 * 1024,
            token_depth: 4,
            event_bytes: 1024 * 1024,
            hold_bytes: 1024 * 1024,
            channels: 256,
            json_depth: 64,
            json_values: 200_000,
            json_number_bytes: 64,
            passages: 4096,
            edge_bytes: 4096,
            decode_depth: 3,
            decode_bytes: 4 * 1024 * 1024,
            decode_layers: 64,
            findings: 256,
            model_windows: 512,
            model_queue: 4096,
            model_file_bytes: 512 * 1024 * 1024,
            model_manifest_bytes: 1024 * 1024,
            model_depth: 32,
            model_nodes: 100_000,
            model_threads: 256,
            model_ms: 20_000,
            model_follow_ms: 60_000,
            streams: 128,
            stream_resets: 32,
            head_ms: 10_000,
            body_ms: 60_000,
            idle_ms: 75_000,
            exchange_ms: 900_000,
            connect_ms: 5_000,
            first_byte_ms: 300_000,
            silence_ms: 120_000,
            drain_ms: 30_000,
            spool_bytes: 1024 * 1024 * 1024,
            audit_slots: 4096,
            audit_record_bytes: 64 * 1024,
            audit_text_bytes: 1024 * 1024,
            policies: 16,
            policies_bytes: 256 * 1024 * 1024,
            policy_bytes: 64 * 1024 * 1024,
            policy_files: 8192,
            policy_attempts: 64,
            policy_problems: 100,
            policies_live: 16,
            watch_quiet_ms: 300,
            watch_busy_ms: 5_000,
            watch_poll_ms: 5_000,
        }
    }
}

/// Limits of the rule language. They are part of the language, not of a site's configuration: a rule set that loads here
/// loads everywhere.
pub mod rules {
    /// Bytes of one rule file.
    pub const FILE_BYTES: usize = 1024 * 1024;
    /// Rule files in one rule set.
    pub const FILES: usize = 4096;
    /// Folders inside each other, from a rules folder down to a rule file.
    pub const FOLDER_DEPTH: usize = 16;
    /// Files and folders of every kind below one rules folder.
    pub const FOLDER_ENTRIES: usize = 65_536;
    /// Bytes of one pattern as it is written.
    pub const PATTERN_BYTES: usize = 8 * 1024;
    /// Bytes of one compiled regex (its NFA).
    pub const REGEX_BYTES: usize = 4 * 1024 * 1024;
    /// Beginnings of one regex that hostile text may keep going at once: each byte costs as many steps.
    pub const OVERLAP: usize = 1500;
    /// Fewest bytes of a literal pattern; shorter ones match everywhere.
    pub const LITERAL_BYTES_MIN: usize = 3;
    /// Longest match, in bytes, of a pattern that judges a stream while it flows: so much may be held back.
    pub const STREAM_MATCH_BYTES: usize = 16 * 1024;
    /// Bytes of one example.
    pub const EXAMPLE_BYTES: usize = 64 * 1024;
    /// Examples of one kind (`match`, `pass`) that a rule must have.
    pub const EXAMPLES_MIN: usize = 2;
    /// Patterns that one rule may have.
    pub const PATTERNS: usize = 1000;
    /// Words that may lie between two parts of a combined pattern.
    pub const GAP_WORDS: usize = 20;
    /// Bytes that may lie between two parts of a combined pattern.
    pub const GAP_BYTES: usize = 256;
    /// Bytes of one word of a gap; a longer run of letters is none.
    pub const GAP_WORD_BYTES: usize = 32;
    /// Bytes of one run of blanks and punctuation in a gap.
    pub const GAP_BLANK_BYTES: usize = 16;
    /// Parts of a `near`: each order of them is one more alternative.
    pub const NEAR_PARTS: usize = 3;
    /// Parts of a `sequence`.
    pub const SEQUENCE_PARTS: usize = 8;
    /// Repeats of a `count`.
    pub const COUNT: usize = 16;
    /// Variables of one file.
    pub const VARIABLES: usize = 256;
    /// Bytes of a pattern or a variable once its variables are put in.
    pub const EXPANDED_BYTES: usize = 64 * 1024;
    /// Bytes of one list file.
    pub const LIST_BYTES: usize = 64 * 1024 * 1024;
    /// Entries of all lists of a rule set.
    pub const LIST_ENTRIES: usize = 1_000_000;
    /// Bytes of one condition.
    pub const CONDITION_BYTES: usize = 4096;
    /// Brackets and `not`s inside each other in a condition.
    pub const CONDITION_DEPTH: usize = 32;
    /// Matches of one pattern of a rule that are listed for one text; rules that redact, or that something may keep from
    /// acting, list all.
    pub const MATCHES: usize = 64;
    /// Names in one list of where a rule or an exception applies.
    pub const SCOPE_NAMES: usize = 64;
    /// Bytes of one such name.
    pub const SCOPE_NAME_BYTES: usize = 256;
    /// Overrides, and exceptions, in one rule set, each.
    pub const OVERLAYS: usize = 4096;
    /// Points of one rule.
    pub const SCORE: usize = 100;
    /// Bytes of an exception's id.
    pub const EXCEPTION_ID_BYTES: usize = 64;
    /// Days that an exception may lie ahead without a warning.
    pub const EXCEPTION_DAYS: usize = 400;
    /// Longest match, in bytes, of a rule that allows: so much text it can vouch for.
    pub const ALLOW_BYTES: usize = 256;
    /// Bytes of a mask.
    pub const MASK_BYTES: usize = 256;
    /// Bytes of what a rule has a client told.
    pub const MESSAGE_BYTES: usize = 512;
    /// Bytes of the name in a token.
    pub const TOKEN_NAME_BYTES: usize = 16;
}
