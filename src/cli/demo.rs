//! stub
use super::Failure;
#[derive(clap::Args, Debug)]
pub(super) struct DemoArgs {}
pub(super) fn run(_: &DemoArgs) -> Result<u8, Failure> {
    Ok(0)
}
