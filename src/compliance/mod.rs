//! The gate: facts in, a `Decision` out, and the only road from a decision to a dialled number.

pub mod clearance;
pub mod disclosure;
pub mod effective;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod gate;
pub mod next;
pub mod opt_out;
pub mod own_lists;
pub mod place;
pub mod profile;
pub mod rules;
pub mod tables;
pub mod what_if;

mod case;
#[cfg(test)]
mod cases;
mod counting;
mod number;
pub mod standing;
