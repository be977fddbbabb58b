//! Portcullis: a security-first AI firewall. It stands inline between applications and language models, inspects every
//! prompt and every reply, records each verdict, and routes what passes.
//!
//! ```text
//! client ─► server ─► proxy ─► protocol ─► inspect ─► route ─► provider
//!                       │                    │ text · scan · classify · verdict
//!                       └──── audit          └ the only mint of Cleared<T>
//! ```
//!
//! The modules stand in the order of their rank: each imports only from those above it. ARCHITECTURE.md is the map,
//! `tests/layers.rs` the guard.

#![forbid(unsafe_code)]

pub mod base;

pub mod egress;
pub mod telemetry;
pub mod text;
pub mod yaml;

pub mod verdict;

pub mod access;
pub mod audit;

pub mod model;
pub mod rules;

pub mod classify;
pub mod scan;

pub mod inspect;

pub mod protocol;
pub mod route;

pub mod provider;

pub mod proxy;
pub mod review;

pub mod console;
pub mod server;

pub mod config;

pub mod app;

pub mod cli;
