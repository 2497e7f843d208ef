//! The road from a decision to the carrier: `Decision` + [`Reservation`] → [`Clearance`] → [`DialOrder`].
//!
//! Each step is a value that only the step before can make, and that is used up by the step after. The carrier's dial function
//! takes a `DialOrder` and nothing else, so code that skips the gate does not compile.
//!
//! A clearance cannot be made up, not even around a real reservation:
//!
//! ```compile_fail
//! use clearline::compliance::clearance::{Clearance, Reservation};
//! fn clear(granted: Clearance, reservation: Reservation) -> Clearance {
//!     Clearance { reservation }
//! }
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::compliance::clearance::{Clearance, Reservation};
//! fn clear(granted: Clearance, reservation: Reservation) -> Clearance {
//!     granted
//! }
//! ```
//!
//! It cannot be copied:
//!
//! ```compile_fail
//! use clearline::compliance::clearance::Clearance;
//! use clearline::domain::Decision;
//! fn copy<T: Clone>() {}
//! copy::<Clearance>();
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::compliance::clearance::Clearance;
//! use clearline::domain::Decision;
//! fn copy<T: Clone>() {}
//! copy::<Decision>();
//! ```
//!
//! It cannot be read from text:
//!
//! ```compile_fail
//! use clearline::compliance::clearance::Clearance;
//! use clearline::domain::Decision;
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<Clearance>();
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::compliance::clearance::Clearance;
//! use clearline::domain::Decision;
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<Decision>();
//! ```
//!
//! It is used up by its first redemption:
//!
//! ```compile_fail
//! use clearline::{compliance::clearance::Clearance, domain::AttemptId};
//! fn dial(clearance: Clearance, attempt: AttemptId, now: jiff::Timestamp) {
//!     let first = clearance.redeem(attempt, now);
//!     let second = clearance.redeem(attempt, now);
//! }
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::{compliance::clearance::Clearance, domain::AttemptId};
//! fn dial(clearance: Clearance, attempt: AttemptId, now: jiff::Timestamp) {
//!     let first = clearance.redeem(attempt, now);
//!     let second = first.is_ok();
//! }
//! ```
//!
//! A reservation is minted by the store alone:
//!
//! ```compile_fail
//! use clearline::compliance::clearance::Reservation;
//! use clearline::domain::{DecisionId, E164, ReservationId};
//! fn reserve(held: Reservation, id: ReservationId, decision: DecisionId, number: E164, now: jiff::Timestamp) -> Reservation {
//!     Reservation::mint(id, decision, number, now)
//! }
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::compliance::clearance::Reservation;
//! use clearline::domain::{DecisionId, E164, ReservationId};
//! fn reserve(held: Reservation, id: ReservationId, decision: DecisionId, number: E164, now: jiff::Timestamp) -> Reservation {
//!     held
//! }
//! ```
//!
//! A dial order cannot be made up:
//!
//! ```compile_fail
//! use clearline::compliance::clearance::{DialOrder, Reservation};
//! use clearline::domain::AttemptId;
//! fn order(redeemed: DialOrder, attempt_id: AttemptId, reservation: Reservation) -> DialOrder {
//!     DialOrder { attempt_id, reservation }
//! }
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::compliance::clearance::{DialOrder, Reservation};
//! use clearline::domain::AttemptId;
//! fn order(redeemed: DialOrder, attempt_id: AttemptId, reservation: Reservation) -> DialOrder {
//!     redeemed
//! }
//! ```
//!
//! It cannot be copied either:
//!
//! ```compile_fail
//! use clearline::compliance::clearance::DialOrder;
//! use clearline::domain::Decision;
//! fn copy<T: Clone>() {}
//! copy::<DialOrder>();
//! ```
//!
//! The same with one line changed compiles:
//!
//! ```
//! use clearline::compliance::clearance::DialOrder;
//! use clearline::domain::Decision;
//! fn copy<T: Clone>() {}
//! copy::<Decision>();
//! ```

use jiff::{SignedDuration, Timestamp};

use crate::domain::{AttemptId, Decision, DecisionId, E164, ReservationId};

/// How long a clearance may wait for its call to be dialled before the gate must be asked again.
pub const CLEARANCE_LIFETIME: SignedDuration = SignedDuration::from_secs(10);

/// A number's slot, held by a recorded, allowing decision. Minted in one file of the store, in the transaction that records both.
#[derive(Debug)]
pub struct Reservation {
    id: ReservationId,
    decision_id: DecisionId,
    number: E164,
    reserved_at: Timestamp,
}

impl Reservation {
    /// For the store's reservation file only (`tests/tidy.rs` holds every other caller back).
    pub(crate) fn mint(id: ReservationId, decision_id: DecisionId, number: E164, reserved_at: Timestamp) -> Self {
        Self { id, decision_id, number, reserved_at }
    }

    pub fn id(&self) -> ReservationId {
        self.id
    }

    pub fn decision_id(&self) -> DecisionId {
        self.decision_id
    }
}

/// Permission to dial one number once, for a few seconds.
#[derive(Debug)]
pub struct Clearance {
    reservation: Reservation,
}

/// Why there is no clearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClearanceError {
    #[error("the gate denied this call")]
    Denied,
    #[error("the clearance is older than {} s: the gate must be asked again", CLEARANCE_LIFETIME.as_secs())]
    Expired,
}

impl Clearance {
    /// Joins an allowing decision with the slot that was reserved under it.
    pub fn grant(decision: &Decision, reservation: Reservation) -> Result<Self, ClearanceError> {
        if decision.is_allowed() { Ok(Self { reservation }) } else { Err(ClearanceError::Denied) }
    }

    pub fn decision_id(&self) -> DecisionId {
        self.reservation.decision_id
    }

    pub fn reservation_id(&self) -> ReservationId {
        self.reservation.id
    }

    /// Uses the clearance up. `attempt_id` names the attempt that the order is for.
    pub fn redeem(self, attempt_id: AttemptId, now: Timestamp) -> Result<DialOrder, ClearanceError> {
        if now.duration_since(self.reservation.reserved_at) > CLEARANCE_LIFETIME {
            return Err(ClearanceError::Expired);
        }
        Ok(DialOrder { attempt_id, reservation: self.reservation })
    }
}

/// The order to ring one number once. The only thing that the carrier's dial function takes.
#[derive(Debug)]
pub struct DialOrder {
    attempt_id: AttemptId,
    reservation: Reservation,
}

impl DialOrder {
    pub fn attempt_id(&self) -> AttemptId {
        self.attempt_id
    }

    pub fn decision_id(&self) -> DecisionId {
        self.reservation.decision_id
    }

    pub fn reservation_id(&self) -> ReservationId {
        self.reservation.id
    }

    pub fn number(&self) -> &E164 {
        &self.reservation.number
    }
}
