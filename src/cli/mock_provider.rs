//! `portcullis mock-provider`: a stand-in for a provider, honest about being one.

use std::net::SocketAddr;

use clap::Args;

use super::{Failure, block_on, out};
use crate::provider::mock::MockFault;
use crate::provider::{MockConfig, MockProvider};

/// A loopback stand-in for a provider.
#[derive(Args, Debug)]
pub(super) struct MockArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// The text that is answered
    #[arg(long)]
    reply: Option<String>,
    /// Bytes of text in one streamed event
    #[arg(long, default_value_t = 16)]
    chunk_bytes: usize,
    /// Time before the reply's head, in milliseconds
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Time before each streamed event, in milliseconds
    #[arg(long, default_value_t = 0)]
    chunk_delay_ms: u64,
    /// What goes wrong: `status:503`, `cut`, `garbage`, `hang` …
    #[arg(long)]
    fault: Option<MockFault>,
}

pub(super) fn run(args: &MockArgs) -> Result<u8, Failure> {
    let config = MockConfig {
        reply: args.reply.clone(),
        chunk_bytes: args.chunk_bytes,
        head_delay_ms: args.delay_ms,
        chunk_delay_ms: args.chunk_delay_ms,
        fault: args.fault,
        ..MockConfig::default()
    };
    block_on(async move {
        let mock = MockProvider::start(args.listen, config).await?;
        out::line(format!("mock provider (not a real model) on http://{}/v1", mock.addr()))?;
        tokio::select! {
            () = mock.wait() => Err(Failure::job("the mock provider stopped")),
            interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| 0).map_err(Failure::from),
        }
    })?
}
