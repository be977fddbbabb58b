//! The mock's body as a list of steps: bytes, waits, and the ways to end badly.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// One step of a body.
#[derive(Debug)]
pub(super) enum Step {
    Break,
    Data(Bytes),
    Hang,
    Trailers(HeaderMap),
    Wait(Duration),
}

/// A body that takes its steps in order.
#[derive(Debug)]
pub(super) struct Steps {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Steps {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self { steps: steps.into(), sleep: None }
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::new(vec![Step::Data(bytes)])
    }
}

impl Body for Steps {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Break) => return Poll::Ready(Some(Err(io::Error::other("broken off on purpose")))),
                Some(Step::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                Some(Step::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(sleep(time))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.sleep.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.steps.len(), self.steps.front()) {
            (0, _) => SizeHint::with_exact(0),
            (1, Some(Step::Data(bytes))) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            _ => SizeHint::default(),
        }
    }
}
