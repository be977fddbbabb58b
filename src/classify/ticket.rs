//! What a caller holds while the model works.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot::Receiver;

use crate::base::{Cause, Fault};
use crate::classify::score::Judged;
use crate::model::Job;

/// The answer to come: one judgement per submitted text, in their order, or the fault that befell the submission.
///
/// A future that needs no particular runtime; [`Ticket::wait`] is for threads. Resolves at the deadline at the latest.
/// Dropped, its windows still in the queue are thrown away.
#[derive(Debug)]
#[must_use = "dropping it cancels the work"]
pub struct Ticket {
    pub(super) answer: Receiver<Result<Vec<Judged>, Fault>>,
    pub(super) _job: Arc<Job>,
}

impl Ticket {
    /// Waits on the present thread. Not for async code: await the ticket there.
    pub fn wait(mut self) -> Result<Vec<Judged>, Fault> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Ticket {
    type Output = Result<Vec<Judged>, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.answer).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|_| Err(Fault::ours(Cause::Internal, "model: no answer came"))))
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
