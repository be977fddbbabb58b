//! Which provider answers, and what that costs: pure choices over names.

pub mod price;
pub mod table;

pub use price::Price;
pub use table::{Choice, ModelPattern, Table};
