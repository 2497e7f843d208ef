//! A queue that mostly holds one thing at a time.

use std::collections::VecDeque;

/// First in, first out. The first one is kept in place, not behind a pointer: where every frame of every call passes through a queue,
/// memory of its own would be cold each time (`docs/performance.md`).
#[derive(Debug)]
pub(crate) struct ShortQueue<T> {
    /// None when there is nothing in `rest` either.
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for ShortQueue<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> ShortQueue<T> {
    pub(crate) fn push(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let first = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
        }
        first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn clear(&mut self) {
        self.first = None;
        self.rest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_first_comes_out_first() {
        let mut queue = ShortQueue::default();
        let mut out = Vec::new();
        for pushed in 0..10 {
            queue.push(2 * pushed);
            queue.push(2 * pushed + 1);
            out.extend(queue.pop());
        }
        out.extend(std::iter::from_fn(|| queue.pop()));
        assert_eq!(out, (0..20).collect::<Vec<_>>());
        assert!(queue.is_empty());
        queue.push(1);
        queue.push(2);
        queue.clear();
        assert!(queue.is_empty() && queue.pop().is_none());
    }
}
