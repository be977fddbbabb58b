//! How many exchanges each principal has at work, so that one of them cannot hold every place there is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The count of each principal's exchanges. Bounded by the exchanges at work: a principal without any is forgotten.
#[derive(Debug, Default)]
pub struct Crowd {
    counts: Mutex<HashMap<String, usize>>,
}

/// One exchange's place; gives it back when dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    principal: String,
}

impl Crowd {
    /// A place for one more exchange of this principal; `None` when it has `limit` already.
    pub fn enter(self: &Arc<Self>, principal: &str, limit: usize) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(principal) {
            Some(count) if *count >= limit => return None,
            Some(count) => *count += 1,
            None if limit == 0 => return None,
            None => {
                counts.insert(principal.to_owned(), 1);
            }
        }
        Some(Place { crowd: Arc::clone(self), principal: principal.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_principal_has_its_own_places() {
        let crowd = Arc::new(Crowd::default());
        let first = crowd.enter("a", 2).unwrap();
        let second = crowd.enter("a", 2).unwrap();
        assert!(crowd.enter("a", 2).is_none());
        let other = crowd.enter("b", 2);
        assert!(other.is_some());
        drop(first);
        let third = crowd.enter("a", 2);
        assert!(third.is_some() && crowd.enter("a", 2).is_none());
        drop((second, third, other));
        assert!(crowd.counts.lock().unwrap().is_empty(), "nobody is remembered without need");
    }
}
