//! When will it be done? Plays the quota windows forward.

mod forecast;
mod ideal;

pub use forecast::{Forecast, forecast};
pub use ideal::ideal_seconds;
