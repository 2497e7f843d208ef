//! The one wall clock of a running server. Boot makes it; the demo's is shifted, and says so.

use jiff::{SignedDuration, Timestamp};

/// Tells the time of day. Timers and deadlines are tokio's affair, not this one's.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock {
    offset: SignedDuration,
}

impl WallClock {
    /// The machine's own time.
    pub fn real() -> Self {
        Self::default()
    }

    /// A clock that shows `shown` now and runs at the usual speed from there.
    pub fn starting_at(shown: Timestamp) -> Self {
        Self { offset: shown.duration_since(Self::real().now()) }
    }

    pub fn is_shifted(self) -> bool {
        !self.offset.is_zero()
    }

    pub fn now(self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the wall clock that everybody else asks")]
        let real = Timestamp::now();
        real.saturating_add(self.offset).unwrap_or(real)
    }
}
